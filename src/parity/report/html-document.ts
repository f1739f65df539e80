/** What every page of this package that stands alone begins with: nothing is loaded from elsewhere. */
import { STYLE } from "./html-style.ts";
import { escapeXml as text } from "./junit.ts";

export interface HtmlDocument {
  readonly title: string;
  /** The language of its words. @default "en" */
  readonly lang?: string;
  /** What its Content-Security-Policy allows besides styles of its own. */
  readonly allows: string;
  /** Styles besides those that all pages have. */
  readonly style?: string;
  /** HTML. */
  readonly body: string;
}

export function htmlDocument({ title, lang = "en", allows, style = "", body }: HtmlDocument): string {
  return `<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; ${allows}">
<title>${text(title)}</title>
<style>${STYLE}${style}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
