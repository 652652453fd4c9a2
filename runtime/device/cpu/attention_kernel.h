#ifndef SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_
#define SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "runtime/device/cpu/attention.h"
#include "runtime/device/cpu/attention_softmax.h"
#include "runtime/device/cpu/block_product.h"
#include "runtime/device/cpu/lane_math.h"
#include "runtime/device/ops.h"
#include "runtime/tensor/dtype.h"

namespace shoal::cpu {

// MlaAttend over tiles of 64 positions, left to right (rules N5, N6), heads in the lanes of scores
// and softmax:
//
//   1. s[j][h] = scale * (line_j . q_h), for the n columns of the tile that the row may see, by
//   rule N1
//   2. m' = max(m, max_j s);  a = exp(m - m')
//   3. p[h][j] = bf16(exp(s - m'));  l = fma(l, a, sum_j p)
//   4. o = a o + p c, by rule N1 started from a o
//
// and at the end out = bf16(o (1 / l)). The rows of a task share what is packed of a tile.
//
// Tiles that all remaining rows see whole go in batches of up to kAttendTiles: steps 1 to 3 for all
// of them, then step 4, whose sums stay in the tile registers from tile to tile as long as a is 1
// for every head. The vector units' work (steps 2 and 3 of the panels before, the packing of the
// values, asking for the next tile's lines) runs between the steps of the products.
template <class V, class P>
class AttendKernel {
 public:
  AttendKernel(const AttendTask& task, std::byte* scratch)
      : task_(task),
        at_(task),
        rank_(task.q_latent.cols),
        width_(task.q_latent.cols + task.q_rope.cols),
        value_panels_((rank_ + kPanel - 1) / kPanel),
        scratch_(scratch),
        stream_{*this, (End(task.rows - 1) + kKvBlock - 1) / kKvBlock},
        softmax_(At<BF16>(at_.p_columns)) {}

  void Run() {
    for (int64_t r = 0; r < task_.rows; ++r) PackQueries(r);
    for (int64_t i = 0; i < at_.panels * kPanel; i += 16) {
      V::Store(At<float>(at_.most) + i, V::Set(-__builtin_inff()));
      V::Store(At<float>(at_.total) + i, V::Zero());
    }
    int64_t tile = 0;
    for (int64_t r = 0; r < task_.rows;) {
      const int64_t whole = End(r) / kKvBlock;  // tiles that the row sees whole; no later row fewer
      while (tile < whole) tile += Batch(r, tile, whole - tile);
      packed_ = 0, keys_packed_[0] = 0;
      for (; r < task_.rows && End(r) / kKvBlock == whole; ++r) {
        if (End(r) % kKvBlock != 0) LastTile(r, whole);
      }
    }
    for (int64_t panel = 0; panel < at_.panels; ++panel) Finish(panel);
  }

 private:
  // One panel of a row, or two panels that follow each other, the first being full: what one
  // product takes at a time.
  struct Group {
    int64_t panel;
    int panels;
    int64_t heads;  // of both
  };

  // Steps 2 and 3 of a group's panels.
  struct GroupSoftmax {
    SoftmaxTask panels[2];
    int next = 0, steps = 0;
  };

  // Asks for the lines of the tiles to come, into the second-level cache.
  struct LineStream {
    const AttendKernel& kernel;
    int64_t tiles;     // of the sequence
    int64_t tile = 0;  // whose lines it asks for
    int64_t limit = 0;
    int64_t per_step = 0;  // lines
    const std::byte *next = nullptr, *end = nullptr;

    // While tiles from `now` on are at work.
    void Open(int64_t now, int64_t groups) {
      limit = now + 2 * kAttendTiles < tiles ? now + 2 * kAttendTiles : tiles;
      if (tile <= now) Seek(now + 1);
      per_step = 24 / groups + 1;
    }
    void Seek(int64_t to) {
      tile = to;
      next = end = nullptr;
      if (to >= tiles) return;
      next = reinterpret_cast<const std::byte*>(kernel.LinesOf(to));
      end = next + kKvBlock * kernel.task_.lines.row_stride * 2;
    }
    void Step() {
      if (tile >= limit) return;
      for (int64_t i = 0; i < per_step; ++i) __builtin_prefetch(next + 64 * i, 0, 2);
      next += 64 * per_step;
      if (next >= end) Seek(tile + 1);
    }
  };

  // What the vector units do while a product of scores runs.
  struct Side {
    AttendKernel& kernel;
    GroupSoftmax& softmax;
    int64_t value_panel, value_end;  // to pack, of tile slot `slot`
    int slot, n;

    void Step() {
      kernel.stream_.Step();
      if (softmax.next < softmax.steps) kernel.SoftmaxStep(softmax);
      if (value_panel < value_end) {
        kernel.PackPanels(value_panel, slot, 0, n);
        value_panel += 2;
      }
    }
    void Finish() {
      while (softmax.next < softmax.steps) kernel.SoftmaxStep(softmax);
      for (; value_panel < value_end; value_panel += 2) kernel.PackPanels(value_panel, slot, 0, n);
    }
  };

  template <class T>
  T* At(int64_t bytes) const {
    return reinterpret_cast<T*>(scratch_ + bytes);
  }
  int64_t End(int64_t r) const { return task_.places[task_.first_row + r].position + 1; }
  static const BF16* Head(const Tensor& x, int64_t row, int64_t head) {
    return reinterpret_cast<const BF16*>(x.data) + row * x.row_stride + head * x.head_stride;
  }
  BF16* Queries(int64_t panel) const { return At<BF16>(at_.query) + panel * at_.chunks * kTile; }
  BF16* Probabilities(int64_t panel) const { return At<BF16>(at_.p) + panel * kAttendPanel; }
  float* Sums(int64_t panel) const { return At<float>(at_.sum) + panel * kPanel * at_.rank_row; }
  float* Alphas(int slot, int64_t panel) const {
    return At<float>(at_.alpha) + (slot * at_.panels + panel) * kPanel;
  }
  int64_t HeadsOf(int64_t panel) const {
    const int64_t left = task_.heads - panel % at_.row_panels * kPanel;
    return left < kPanel ? left : kPanel;
  }
  // The group that begins at `panel`; none of its panels is `end`.
  Group GroupAt(int64_t panel, int64_t end) const {
    const int64_t heads = HeadsOf(panel);
    if (heads < kPanel || panel + 1 == end) return {panel, 1, heads};
    return {panel, 2, heads + HeadsOf(panel + 1)};
  }

  // [q_latent | q_rope] of 16 heads at a time becomes a panel: heads are its columns.
  void PackQueries(int64_t r) {
    const int64_t row = task_.first_row + r, words = at_.chunks * kChunk / 2;
    BF16* line = At<BF16>(at_.line);
    for (int64_t panel = r * at_.row_panels; panel < (r + 1) * at_.row_panels; ++panel) {
      __builtin_memset(static_cast<void*>(line), 0, static_cast<size_t>(kPanel * words * 4));
      const int64_t first = task_.first_head + panel % at_.row_panels * kPanel;
      for (int64_t h = 0; h < HeadsOf(panel); ++h) {
        BF16* to = line + h * words * 2;
        __builtin_memcpy(to, Head(task_.q_latent, row, first + h), static_cast<size_t>(rank_ * 2));
        __builtin_memcpy(to + rank_, Head(task_.q_rope, row, first + h),
                         static_cast<size_t>((width_ - rank_) * 2));
      }
      auto* packed = reinterpret_cast<uint32_t*>(Queries(panel));
      for (int64_t w = 0; w < words; w += 16) {
        V::Transpose(reinterpret_cast<const uint32_t*>(line) + w, words, packed + w * 16, 16);
      }
    }
  }

  // How many positions of the tile stand before the layer's first: it begins behind them.
  int64_t Skipped(int64_t tile) const { return tile == 0 ? task_.first_position : 0; }
  const BF16* LinesOf(int64_t tile) const {
    const int64_t line = int64_t{task_.blocks[tile]} * kKvBlock + Skipped(tile);
    return reinterpret_cast<const BF16*>(task_.lines.data) + line * task_.lines.row_stride;
  }
  const BF16* Line(int64_t j) const { return lines_ + j * task_.lines.row_stride; }

  // Rows from `row` on see `left` tiles from `tile` on whole. Takes some of them and returns how
  // many.
  int Batch(int64_t row, int64_t tile, int64_t left) {
    const int64_t first = row * at_.row_panels;
    // A tile that begins late may have a chunk less: it goes alone.
    const int tiles = static_cast<int>(Skipped(tile) > 0     ? 1
                                       : left < kAttendTiles ? left
                                                             : kAttendTiles);
    const int n = static_cast<int>(kKvBlock - Skipped(tile));
    stream_.Open(tile, (at_.panels - first + 1) / 2);
    for (int& packed : keys_packed_) packed = 0;
    GroupSoftmax softmax[2];
    int turn = 0;
    for (int64_t panel = first; panel < at_.panels;) {
      // A group's queries stay in the first-level cache while the lines of the tiles pass.
      const Group group = GroupAt(panel, at_.panels);
      const int64_t pack = ShareOfValues(panel - first, at_.panels - first);
      panel += group.panels;
      const int64_t pack_end = ShareOfValues(panel - first, at_.panels - first);
      for (int slot = 0; slot < tiles; ++slot, turn ^= 1) {
        lines_ = LinesOf(tile + slot);
        Side side{*this, softmax[turn ^ 1], pack, pack_end, slot, n};
        Scores(group, turn, slot, n, side);
        side.Finish();
        SetSoftmax(group, turn, slot, n, softmax[turn]);
      }
    }
    while (softmax[turn ^ 1].next < softmax[turn ^ 1].steps) SoftmaxStep(softmax[turn ^ 1]);
    for (int64_t panel = first; panel < at_.panels;) {
      const Group group = GroupAt(panel, at_.panels);
      panel += group.panels;
      AddValues(group, tile == 0, tiles, (n + kChunk - 1) / kChunk);
    }
    return tiles;
  }

  // The panels of values to pack along with the first `done` of `all` panels of heads; even.
  int64_t ShareOfValues(int64_t done, int64_t all) const {
    return done == all ? value_panels_ : value_panels_ * done / all / 2 * 2;
  }

  // The tile that the row sees in part. Values are packed up to its last line, zeros from there to
  // the chunk's end; rows come with positions ascending.
  void LastTile(int64_t row, int64_t tile) {
    const int n = static_cast<int>(End(row) - tile * kKvBlock - Skipped(tile));
    lines_ = LinesOf(tile);
    for (int64_t c = 0; c < value_panels_; c += 2) PackPanels(c, 0, packed_, n);
    packed_ = n;
    const int64_t end = (row + 1) * at_.row_panels;
    for (int64_t panel = row * at_.row_panels; panel < end;) {
      const Group group = GroupAt(panel, end);
      panel += group.panels;
      NoSide side;
      Scores(group, 0, 0, n, side);
      GroupSoftmax softmax;
      SetSoftmax(group, 0, 0, n, softmax);
      while (softmax.next < softmax.steps) SoftmaxStep(softmax);
      AddValues(group, tile == 0, 1, (n + kChunk - 1) / kChunk);
    }
  }

  // Values are the lines' latent part with positions in pairs: panels of 16 latent columns, two
  // tiles for each tile of positions. Packs columns 16 panel .. 16 panel + 31 of lines from .. n -
  // 1, zeros up to the next chunk.
  void PackPanels(int64_t panel, int slot, int from, int n) {
    const int end = (n + kChunk - 1) / kChunk * kChunk;
    BF16* values = At<BF16>(at_.values) + panel * kAttendPanel + slot * 2 * kTile;
    if (from == 0 && n == kKvBlock && rank_ >= (panel + 2) * kPanel) {
      const int64_t row = task_.lines.row_stride;
      const BF16* line = lines_ + panel * kPanel;
      for (int j = 0; j < kKvBlock; j += 2, line += 2 * row, values += 2 * kPanel) {
        V::Interleave(line, line + row, values);
        V::Interleave(line + kPanel, line + row + kPanel, values + kAttendPanel);
      }
      return;
    }
    for (int64_t i = panel; i < panel + 2 && i < value_panels_; ++i, values += kAttendPanel) {
      const int64_t column = i * kPanel;
      const int left = static_cast<int>(rank_ - column < kPanel ? rank_ - column : kPanel);
      BF16 zero[kPanel] = {}, low[kPanel], high[kPanel];
      for (int j = from / 2 * 2; j < end; j += 2) {
        const BF16* a = j < n ? Columns(Line(j) + column, left, low) : zero;
        const BF16* b = j + 1 < n ? Columns(Line(j + 1) + column, left, high) : zero;
        V::Interleave(a, b, values + j * kPanel);
      }
    }
  }
  // 16 columns at p, or a copy of the `left` that there are, padded with zeros.
  static const BF16* Columns(const BF16* p, int left, BF16* copy) {
    if (left == kPanel) return p;
    for (int i = 0; i < kPanel; ++i) copy[i] = i < left ? p[i] : BF16{};
    return copy;
  }

  float* ScoresOf(int turn) const { return At<float>(at_.scores) + turn * kKvBlock * 2 * kPanel; }

  // The first n lines of the tile, padded with zeros: what follows a line in memory is another
  // line.
  const BF16* Keys(int slot, int n, int64_t row) {
    BF16* keys = At<BF16>(at_.keys) + slot * kKvBlock * row;
    for (int& j = keys_packed_[slot]; j < n; ++j) {
      BF16* to = keys + j * row;
      __builtin_memcpy(to, Line(j), static_cast<size_t>(width_ * 2));
      __builtin_memset(static_cast<void*>(to + width_), 0, static_cast<size_t>((row - width_) * 2));
    }
    return keys;
  }

  // Step 1, not scaled yet, into one of the two score tiles.
  template <class S>
  void Scores(const Group& group, int turn, int slot, int n, S& side) {
    Block b;
    b.rows = n;
    b.w = Queries(group.panel), b.w_panel = at_.chunks * kTile;
    b.panels = group.panels, b.chunks = static_cast<int>(at_.chunks);
    b.out = ScoresOf(turn), b.out_row = 2 * kPanel;
    b.a = lines_, b.a_row = task_.lines.row_stride;
    if (width_ % kChunk != 0) b.a = Keys(slot, n, b.a_row = at_.chunks * kChunk);
    b.a_chunk = kChunk, b.a_block = 16 * b.a_row;
    product_.Run(b, side);
  }

  void SetSoftmax(const Group& group, int turn, int slot, int n, GroupSoftmax& softmax) const {
    softmax.next = 0, softmax.steps = group.panels * PanelSoftmax<V>::kSteps;
    for (int i = 0; i < group.panels; ++i) {
      const int64_t panel = group.panel + i;
      SoftmaxTask& task = softmax.panels[i];
      task.scores = ScoresOf(turn) + i * kPanel, task.scores_row = 2 * kPanel;
      task.n = n, task.scale = task_.scale;
      task.most = At<float>(at_.most) + panel * kPanel;
      task.total = At<float>(at_.total) + panel * kPanel;
      task.alpha = Alphas(slot, panel);
      task.p = Probabilities(panel) + slot * kKvBlock * kPanel;
    }
  }
  void SoftmaxStep(GroupSoftmax& softmax) {
    constexpr int kSteps = PanelSoftmax<V>::kSteps;
    softmax_.Step(softmax.panels[softmax.next / kSteps], softmax.next % kSteps);
    ++softmax.next;
  }

  // Step 4 for `tiles` tiles: some latent columns at a time, so that the group's sums of these stay
  // near; over as many tiles at a time as leave m alone.
  void AddValues(const Group& group, bool first, int tiles, int chunks) {
    constexpr int64_t kColumns = 8;  // panels of latent columns
    for (int64_t column = 0; column < value_panels_; column += kColumns) {
      const int64_t columns = value_panels_ - column < kColumns ? value_panels_ - column : kColumns;
      for (int slot = 0, n; slot < tiles; slot += n) {
        const bool begin = first && slot == 0;
        if (!begin) Rescale(group, slot, column * kPanel, columns * kPanel);
        for (n = 1; slot + n < tiles && !Changes(group, slot + n); ++n) {
        }
        Block b;
        b.a = Probabilities(group.panel) + slot * kKvBlock * kPanel;
        b.a_row = kChunk, b.a_chunk = kChunk * kPanel;
        b.a_block = kAttendPanel;
        b.rows = group.heads;
        b.w_panel = kAttendPanel;
        b.w = At<BF16>(at_.values) + column * b.w_panel + slot * 2 * kTile;
        b.panels = static_cast<int>(columns), b.chunks = (n - 1) * 2 + chunks;
        b.out = Sums(group.panel) + column * kPanel, b.out_row = at_.rank_row;
        b.accumulate = !begin;
        product_.Run(b, stream_);
      }
    }
  }

  // Whether some head's m grew in the tile: then its sums are rescaled. (Times 1 leaves the bits.)
  bool Changes(const Group& group, int slot) const {
    const float* alpha = Alphas(slot, group.panel);
    bool changes = false;
    for (int64_t h = 0; h < group.heads; ++h) changes |= alpha[h] != 1;
    return changes;
  }
  void Rescale(const Group& group, int slot, int64_t column, int64_t columns) {
    const float* alpha = Alphas(slot, group.panel);
    for (int64_t h = 0; h < group.heads; ++h) {
      if (alpha[h] == 1) continue;
      float* sum = Sums(group.panel) + h * at_.rank_row + column;
      const auto a = V::Set(alpha[h]);
      for (int64_t c = 0; c < columns; c += 16) V::Store(sum + c, V::Mul(V::Load(sum + c), a));
    }
  }

  void Finish(int64_t panel) {
    float inverse[kPanel];
    V::Store(inverse, V::Div(V::Set(1), V::Load(At<float>(at_.total) + panel * kPanel)));
    const int64_t row = task_.first_row + panel / at_.row_panels;
    const int64_t first = task_.first_head + panel % at_.row_panels * kPanel;
    for (int64_t h = 0; h < HeadsOf(panel); ++h) {
      const float* sum = Sums(panel) + h * at_.rank_row;
      const auto factor = V::Set(inverse[h]);
      const Tensor& out = task_.out;
      BF16* to =
          reinterpret_cast<BF16*>(out.data) + row * out.row_stride + (first + h) * out.head_stride;
      ForLanes<V>(rank_, [=](int64_t c, int n) {
        StoreUpTo<V>(to + c, V::Mul(V::Load(sum + c), factor), n);
      });
    }
  }

  const AttendTask& task_;
  const AttendScratch at_;
  const int64_t rank_, width_;
  const int64_t value_panels_;  // of 16 latent columns
  std::byte* const scratch_;
  const BF16* lines_ = nullptr;         // of the tile at hand
  int packed_ = 0;                      // its lines that `values` holds, in the last tile
  int keys_packed_[kAttendTiles] = {};  // lines of each slot that `keys` holds
  P product_;
  LineStream stream_;
  PanelSoftmax<V> softmax_;
};

}  // namespace shoal::cpu

#endif  // SHOAL_RUNTIME_DEVICE_CPU_ATTENTION_KERNEL_H_
