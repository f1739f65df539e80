export const TEXT_WORDS = { en: {}, zh: {} };
