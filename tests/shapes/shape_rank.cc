#include "tests/shapes/shape_rank.h"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/device/cpu/isa.h"
#include "runtime/device/ops.h"
#include "runtime/model/model.h"
#include "runtime/model/shard_plan.h"
#include "runtime/moe/exchange.h"
#include "runtime/tensor/tensor.h"

namespace shoal {
namespace {

double SecondsOf(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Passes everything on, and counts the processor time of the calls and of what lies between the
// arrival of rows and their outputs' departure: the routed experts' products.
class TimedExchange : public ExpertExchange {
 public:
  explicit TimedExchange(std::unique_ptr<ExpertExchange> real) : real_(std::move(real)) {}

  Dispatched BeginDispatch(int channel, int layer, Arena& arena, Tensor x,
                           const Routing& routing) override {
    const Count count(this);
    return real_->BeginDispatch(channel, layer, arena, x, routing);
  }
  void EndDispatch(Arena& arena, Dispatched& d) override {
    {
      const Count count(this);
      real_->EndDispatch(arena, d);
    }
    arrived_ = ProcessSeconds();
  }
  void BeginCombine(Arena& arena, Dispatched& d, Tensor y) override {
    cost_.routed += ProcessSeconds() - arrived_;
    const Count count(this);
    real_->BeginCombine(arena, d, y);
  }
  Tensor EndCombine(Arena& arena, Dispatched& d, const Routing& routing) override {
    const Count count(this);
    return real_->EndCombine(arena, d, routing);
  }

  StepCost TakeCost() { return std::exchange(cost_, {}); }

 private:
  class Count {
   public:
    explicit Count(TimedExchange* of) : of_(of), start_(ThreadSeconds()) {}
    ~Count() { of_->cost_.exchange += ThreadSeconds() - start_; }

   private:
    TimedExchange* const of_;
    const double start_;
  };
  const std::unique_ptr<ExpertExchange> real_;
  double arrived_ = 0;
  StepCost cost_;
};

}  // namespace

double ProcessSeconds() { return SecondsOf(CLOCK_PROCESS_CPUTIME_ID); }
double ThreadSeconds() { return SecondsOf(CLOCK_THREAD_CPUTIME_ID); }

struct ShapeRank::Work {
  Work(Device& device, std::unique_ptr<ExpertExchange> real, Communicator& comm_in)
      : comm(comm_in), exchange(std::move(real)), arena(device.arena_source()) {}

  Communicator& comm;
  TimedExchange exchange;
  Arena arena;
  Buffer cache;
  Tensor lines;
  int64_t lines_per_layer = 0;
  int first_sequence = 0;
  std::vector<TokenId> ids;
  std::vector<RowPlace> places;
  std::vector<int32_t> wanted;
  std::vector<std::vector<int32_t>> tables;
  std::vector<absl::Span<const int32_t>> spans;
  Tensor logits;
};

ShapeRank::ShapeRank(DeepSeekConfig config, ExpertPlacement placement, int rank)
    : config_(std::move(config)), placement_(std::move(placement)), rank_(rank) {}
ShapeRank::~ShapeRank() = default;

absl::StatusOr<std::unique_ptr<ShapeRank>> ShapeRank::Load(const std::string& folder, int ranks,
                                                           int rank, int threads) {
  ASSIGN_OR_RETURN(DeepSeekConfig config, ReadDeepSeekConfig(folder));
  ASSIGN_OR_RETURN(ExpertPlacement placement, PlaceEvenly(config, {.ranks = ranks}));
  std::unique_ptr<ShapeRank> self(new ShapeRank(std::move(config), std::move(placement), rank));
  ASSIGN_OR_RETURN(self->device_, NewCpuDevice({Isa::kBest, threads}));
  LoadOptions options;
  options.max_positions = std::min(self->config_.max_positions, kShapePositions);
  ASSIGN_OR_RETURN(self->model_, LoadDeepSeek(self->config_, folder, self->placement_, rank,
                                              *self->device_, options));
  return self;
}

absl::Status ShapeRank::Prepare(const Workload& workload, Communicator& comm) {
  CHECK_EQ(comm.size(), placement_.ranks());
  CHECK_LE(workload.position + workload.rows, model_->max_positions());
  const DType act = device_->ops().activation_dtype();
  work_ = std::make_unique<Work>(
      *device_, NewHostExchange(comm, placement_, {config_.hidden, config_.gate.top_k, act}), comm);
  Work& w = *work_;
  w.first_sequence = workload.FirstOf(rank_, comm.size());
  const int sequences = workload.FirstOf(rank_ + 1, comm.size()) - w.first_sequence;
  const int blocks = (workload.position + workload.rows + kKvBlock - 1) / kKvBlock;
  for (int s = 0; s < sequences; ++s) {
    w.tables.emplace_back();
    for (int b = 0; b < blocks; ++b) w.tables.back().push_back(s * blocks + b);
    for (int i = 0; i < workload.rows; ++i) {
      const int position = workload.position + i;
      w.ids.push_back(TokenAt(w.first_sequence + s, position, config_.vocab));
      w.places.push_back({position, s});
    }
    w.wanted.push_back(static_cast<int32_t>(w.ids.size()) - 1);
  }
  for (const auto& table : w.tables) w.spans.emplace_back(table);
  w.lines_per_layer = int64_t{sequences} * blocks * kKvBlock;
  const int64_t lines = model_->layers() * w.lines_per_layer;
  ASSIGN_OR_RETURN(w.cache,
                   device_->Allocate(static_cast<size_t>(lines * model_->kv_line()) * SizeOf(act)));
  w.lines = Tensor::Of(w.cache.data(), act, lines, model_->kv_line());
  return absl::OkStatus();
}

absl::Status ShapeRank::Step(StepCost* cost) {
  Work& w = *work_;
  w.arena.Reset();
  const double start = ProcessSeconds();
  Pass pass{device_->ops(), w.arena, &w.exchange, w.lines, w.lines_per_layer};
  w.logits = model_->Forward(pass, {w.ids, w.places, w.spans, w.wanted});
  RETURN_IF_ERROR(device_->ops().Finish());
  RETURN_IF_ERROR(w.comm.status());
  StepCost mine = w.exchange.TakeCost();
  mine.cpu = ProcessSeconds() - start;
  *cost += mine;
  return absl::OkStatus();
}

std::map<int, std::vector<float>> ShapeRank::Logits() const {
  const Work& w = *work_;
  std::map<int, std::vector<float>> by_sequence;
  for (int64_t i = 0; i < w.logits.rows; ++i) {
    const float* row = w.logits.At<float>(i);
    by_sequence[w.first_sequence + static_cast<int>(i)].assign(row, row + w.logits.cols);
  }
  return by_sequence;
}

}  // namespace shoal
