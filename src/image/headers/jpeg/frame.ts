/** The frame header, `SOF`. */
export interface Frame {
  readonly marker: number;
  readonly progressive: boolean;
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly { readonly id: number; readonly factors: number; readonly table: number }[];
}
