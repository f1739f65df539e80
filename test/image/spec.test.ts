import { describe, expect, test } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import { checkedSpec } from "../../src/image/spec.ts";
import { SPEC_V1 } from "./random.ts";

const SIDES = "expected a whole number of pixels from 1 to 2048, or [height, width] of such numbers.";
const MEAN = "expected three finite numbers, as float32.";
const STD = "expected three finite numbers, none of them 0 as float32.";

function refusal(value: unknown): IsotorchError {
  try {
    checkedSpec(value);
  } catch (error) {
    if (!(error instanceof IsotorchError)) throw error;
    expect(error.code).toBe("INVALID_OPTION");
    return error;
  }
  throw new Error("it was taken");
}

describe("a preprocessing that is asked for", () => {
  test("has ImageNet's mean and deviation and the bilinear filter where it names none", () => {
    expect(checkedSpec({ resize: 256, crop: 224 })).toStrictEqual(SPEC_V1);
    expect(checkedSpec({ resize: 256, crop: 224, mean: undefined, std: undefined })).toStrictEqual(SPEC_V1);
  });

  test("is taken as it is given, with heights and widths", () => {
    const spec = {
      resize: [1, 2048],
      crop: [96, 320],
      mean: [0, -1, 3e38],
      std: [-1, 1e-44, 255],
      interpolation: "nearest",
    } as const;
    expect(checkedSpec(spec)).toStrictEqual(spec);
  });

  test("is one's own: what is changed afterwards changes nothing", () => {
    const [crop, mean] = [
      [9, 9],
      [0, 0, 0],
    ];
    const spec = checkedSpec({ resize: 9, crop, mean });
    crop[0] = 0;
    mean[0] = 7;
    expect(spec).toMatchObject({ crop: [9, 9], mean: [0, 0, 0] });
  });

  test.each([
    [{ resize: 0 }, `Option "resize" is 0, ${SIDES}`],
    [{ resize: 2049 }, `Option "resize" is 2049, ${SIDES}`],
    [{ crop: 224.5 }, `Option "crop" is 224.5, ${SIDES}`],
    [{ crop: "224" }, `Option "crop" is "224", ${SIDES}`],
    [{ crop: [224] }, `Option "crop" is [224], ${SIDES}`],
    [{ crop: [224, 224, 3] }, `Option "crop" is [224,224,3], ${SIDES}`],
    [{ crop: [224, -1] }, `Option "crop" is [224,-1], ${SIDES}`],
    [{ mean: [0.5, 0.5] }, `Option "mean" is [0.5,0.5], ${MEAN}`],
    [{ mean: 0.5 }, `Option "mean" is 0.5, ${MEAN}`],
    [{ mean: [0, 0, 1e39] }, `Option "mean" is [0,0,1e+39], ${MEAN}`],
    [{ mean: [0, 0, Number.NaN] }, `Option "mean" is [0,0,null], ${MEAN}`],
    [{ std: [1, 0, 1] }, `Option "std" is [1,0,1], ${STD}`],
    [{ std: [1, 1e-46, 1] }, `Option "std" is [1,1e-46,1], ${STD}`],
    [
      { interpolation: "lanczos" },
      'Option "interpolation" is "lanczos", expected one of "nearest", "bilinear", "bicubic".',
    ],
  ])("%j is refused with its name and what was expected", (odd, message) => {
    expect(refusal({ resize: 256, crop: 224, ...odd }).message).toBe(message);
  });

  test("a misspelt name is told the known one", () => {
    expect(refusal({ resize: 256, crops: 224 })).toMatchObject({
      message: 'There is no option "crops".',
      hint: 'Did you mean "crop"?',
    });
  });

  test.each([5, "IMAGENET", null, [256, 224], { crop: 224 }, { resize: 256 }, {}])(
    "%j lacks its sizes",
    (value) => {
      expect(refusal(value).message).toMatch(
        /^Option "transforms" is .*, expected an object with resize and crop/,
      );
    },
  );
});
