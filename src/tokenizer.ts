/** Text as tokens and back, also in browsers: nothing that is imported from here needs Node. */
export { Tokenizer } from "./text/tokenizer.ts";
export type { Piece, VocabularyFiles } from "./text/tokenizer.ts";
export type { EncodeOptions, TokenMerge, TrainOptions } from "./text/options.ts";
export type { TokenDecoder } from "./text/decoder.ts";
export type { TieRule } from "./text/train.ts";
export { IsotorchError } from "./base/errors.ts";
