"""The multi-token-prediction module of DeepSeek-V3 in float64 NumPy, around float64_form's blocks.

The wiring is what two public engines do, read independently of each other:

  vLLM, vllm/model_executor/models/deepseek_mtp.py at 03356f8cb59b, and v1/spec_decode/eagle.py at
  008603a39fff, which feeds it
  SGLang, python/sglang/srt/models/deepseek_nextn.py at 0114f9c923f2

Both: the row of token i pairs Emb(t_{i+1}) with the main model's state h_i after its final norm;
x = eh_proj [enorm(Emb); hnorm(h)], the embedding first; one decoder block over all rows so far,
rotated by the row's number; logits = head(shared_head.norm(x)).
They differ in two points. vLLM zeroes the embedding of row 0, SGLang does not: zeroed here. To guess
further with the one module, SGLang feeds the state after shared_head.norm back as h, as here; that
eagle.py feeds the main model's h_i again, and vLLM's #47448 (for GLM and V3.2) does as SGLang.
"""

import numpy as np

from float64_form import Float64Form


class MtpForm(Float64Form):
    def drafts(self, ids, chained):
        """Row i guesses token i + 2.  Returns the logits of rows 0 .. len(ids) - 2, and of `chained`
        rows that guess one token further: the one after row i takes token i + 2 and row i's state."""
        ids, hidden = np.asarray(ids), self.hidden(ids)
        p = f"model.layers.{self._c['num_hidden_layers']}."
        embedded = self._w[p + "embed_tokens.weight"][ids[1:]].copy()
        embedded[0] = 0
        rows = self._enter(p, embedded, hidden[:-1])
        states = self._leave(p, rows)
        second = []
        for i in range(chained):
            after = self._enter(p, self._w[p + "embed_tokens.weight"][ids[i + 2 : i + 3]], states[i : i + 1])
            second.append(self._leave(p, np.concatenate([rows[: i + 1], after]))[-1])
        head = self._w[p + "shared_head.head.weight"].T
        return states @ head, np.array(second) @ head

    def _enter(self, p, embedded, hidden):
        pair = [self._norm(p + "enorm.weight", embedded), self._norm(p + "hnorm.weight", hidden)]
        return np.concatenate(pair, axis=-1) @ self._w[p + "eh_proj.weight"].T

    def _leave(self, p, rows):
        return self._norm(p + "shared_head.norm.weight", self._block(self._c["num_hidden_layers"], rows))
