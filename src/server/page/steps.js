/** What a picture goes through, in torchvision's terms and with the numbers of the network that runs here. */
import { element } from "./dom.js";

export function steps({ model, resize, crop }) {
  const names = [`Resize(${resize})`, `CenterCrop(${crop})`, "ToTensor()", "Normalize()", model, "softmax"];
  return names.map((name) => element("li", {}, element("code", {}, name)));
}
