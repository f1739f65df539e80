/**
 * How many steps a regular expression takes, as an engine that goes back takes them: JavaScript's and Python's do. Counted,
 * not timed, so that the verdict is the same on every machine.
 */
import { RegExpParser } from "@eslint-community/regexpp";
import type { AST } from "@eslint-community/regexpp";

/** Goes on behind what has matched; `false` sends the engine back. */
type Next = (at: number) => boolean;

type Taken = AST.Character | AST.CharacterSet | AST.CharacterClass | AST.ExpressionCharacterClass;

class OutOfSteps extends Error {}

/** An expression that can be run for its steps. */
export class Stepper {
  readonly pattern: AST.Pattern;
  readonly #flags: string;
  /** Whether a node takes a character. */
  readonly #taken = new Map<Taken, Map<string, boolean>>();
  #text = "";
  #steps = 0;
  #most = 0;
  #captured = new Map<AST.CapturingGroup, string>();

  constructor(source: string, flags: string) {
    this.#flags = flags;
    const parsed = new RegExpParser({ ecmaVersion: 2025 });
    this.pattern = parsed.parsePattern(source, 0, source.length, {
      unicode: flags.includes("u"),
      unicodeSets: flags.includes("v"),
    });
  }

  /** Steps until the first match in a text, or until there is none; at most `most`. */
  steps(text: string, most: number): number {
    [this.#text, this.#steps, this.#most] = [text, 0, most];
    const last = this.#flags.includes("y") ? 0 : text.length;
    try {
      for (let start = 0; start <= last; start += 1) {
        this.#captured = new Map();
        if (this.#any(this.pattern.alternatives, start, () => true)) break;
      }
    } catch (error) {
      if (!(error instanceof OutOfSteps)) throw error;
    }
    return this.#steps;
  }

  /** Whether one character is what a node takes. */
  takes(node: Taken, character: string): boolean {
    let taken = this.#taken.get(node);
    if (taken === undefined) this.#taken.set(node, (taken = new Map<string, boolean>()));
    let does = taken.get(character);
    if (does === undefined) {
      does = new RegExp(`^(?:${node.raw})$`, this.#flags.replaceAll(/[gymd]/g, "")).test(character);
      taken.set(character, does);
    }
    return does;
  }

  #any(alternatives: readonly AST.Alternative[], at: number, next: Next): boolean {
    return alternatives.some((alternative) => this.#sequence(alternative.elements, 0, at, next));
  }

  #sequence(elements: readonly AST.Element[], index: number, at: number, next: Next): boolean {
    const element = elements[index];
    if (element === undefined) return next(at);
    return this.#element(element, at, (then) => this.#sequence(elements, index + 1, then, next));
  }

  #element(element: AST.Element, at: number, next: Next): boolean {
    this.#steps += 1;
    if (this.#steps > this.#most) throw new OutOfSteps();
    switch (element.type) {
      case "Character":
      case "CharacterSet":
      case "CharacterClass":
      case "ExpressionCharacterClass": {
        const character = this.#text[at];
        return character !== undefined && this.takes(element, character) && next(at + 1);
      }
      case "Quantifier":
        return this.#repeat(element, 0, at, next);
      case "Group":
        return this.#any(element.alternatives, at, next);
      case "CapturingGroup":
        return this.#any(element.alternatives, at, (end) => {
          this.#captured.set(element, this.#text.slice(at, end));
          return next(end);
        });
      case "Backreference": {
        const [group] = [element.resolved].flat();
        const before = (group === undefined ? undefined : this.#captured.get(group)) ?? "";
        return this.#text.startsWith(before, at) && next(at + before.length);
      }
      case "Assertion":
        return this.#holds(element, at) && next(at);
    }
  }

  #repeat(quantifier: AST.Quantifier, done: number, at: number, next: Next): boolean {
    const { element, greedy, max, min } = quantifier;
    const more = (): boolean =>
      done < max &&
      this.#element(element, at, (then) => {
        // Nothing taken again and again would never end.
        if (then === at && done >= min) return false;
        return this.#repeat(quantifier, done + 1, then, next);
      });
    const enough = (): boolean => done >= min && next(at);
    return greedy ? more() || enough() : enough() || more();
  }

  #holds(assertion: AST.Assertion, at: number): boolean {
    const isLine = this.#flags.includes("m");
    const word = (index: number): boolean => /\w/.test(this.#text[index] ?? "");
    switch (assertion.kind) {
      case "start":
        return at === 0 || (isLine && this.#text[at - 1] === "\n");
      case "end":
        return at === this.#text.length || (isLine && this.#text[at] === "\n");
      case "word":
        return (word(at - 1) !== word(at)) !== assertion.negate;
      case "lookahead":
        return this.#any(assertion.alternatives, at, () => true) !== assertion.negate;
      case "lookbehind": {
        // Only the short ones that there are: tried from every place a few characters before.
        let found = false;
        for (let start = at; start >= Math.max(0, at - 4) && !found; start -= 1)
          found = this.#any(assertion.alternatives, start, (end) => end === at);
        return found !== assertion.negate;
      }
    }
  }
}
