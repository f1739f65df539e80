"""Writes the corpus of ``npm run compat``: ``make_compat_corpus.py OUTDIR [--seed N]``.

What ``make_corpus.py`` writes, and tall and odd pictures beside it; in the same form, with the same promises.
"""

from __future__ import annotations

import make_corpus
from corpus_odd import odd_jpegs, odd_pngs
from corpus_odd_files import odd_others, odd_tiffs, odd_webps
from corpus_tall import tall

if __name__ == "__main__":
    make_corpus.main([tall, odd_jpegs, odd_pngs, odd_webps, odd_tiffs, odd_others])
