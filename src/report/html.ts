/**
 * Markup that cannot be broken by what it shows: every text put into it is escaped.
 *
 * `html` marks a template. Values in it are escaped unless they are markup themselves; lists are
 * joined. There is no way to make markup from a string but `trusted`, for what is written here.
 */

/** Markup. Its text is safe to put into a page, in content and in quoted attributes. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type HtmlValue = string | number | Html | readonly HtmlValue[];

/** Tag of a template. Attributes must be quoted. */
export function html(parts: TemplateStringsArray, ...values: HtmlValue[]): Html {
  const pieces = parts.map(
    (part, index) => (index === 0 ? "" : markupOf(values[index - 1])) + part,
  );
  return new Html(pieces.join(""));
}

/** Text of this program's own: style and script. Never of anything read. */
export function trusted(text: string): Html {
  return new Html(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.markup;
  if (typeof value === "object") return value.map(markupOf).join("");
  return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}
