#include "tests/parity/golden_case.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/device/cpu/cpu_device.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "tests/parity/edit_checkpoint.h"

namespace shoal {
namespace {

using nlohmann::json;

std::string ReadFile(const std::string& name) {
  std::ifstream in("tests/parity/testdata/" + name, std::ios::binary);
  CHECK(in.good()) << "tests/parity/testdata/" << name << " cannot be read";
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// As make_goldens.py makes them.
std::vector<TokenId> TokenIds(int vocab, int length) {
  std::vector<TokenId> ids;
  for (int i = 0; i < length; ++i) ids.push_back((i * i * 31 + i * 7 + 3) % vocab);
  return ids;
}

}  // namespace

int GoldenCase::decoded() const {
  return length - std::accumulate(prefill.begin(), prefill.end(), 0);
}

void PrintTo(const GoldenCase& c, std::ostream* out) { *out << c.name; }

std::vector<GoldenCase> ReadGoldenCases() {
  const json manifest = json::parse(ReadFile("cases.json"));
  std::vector<GoldenCase> cases;
  for (const json& entry : manifest.at("cases")) {
    GoldenCase c{entry.at("name"), entry.at("seed"), entry.at("length"),
                 entry.at("prefill").get<std::vector<int>>(), manifest.at("base")};
    // Whole fields: a null replaces, where a merge patch would delete.
    for (const auto& [field, value] : entry.at("config").items()) c.config[field] = value;
    CHECK_GE(c.decoded(), 0) << c.name << ": prefill is longer than length";
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<float> ReadGolden(const GoldenCase& c) {
  const std::string raw = ReadFile(c.name + ".f32");
  std::vector<float> values(static_cast<size_t>(c.length) * c.vocab());
  CHECK_EQ(raw.size(), values.size() * sizeof(float)) << c.name << ".f32 is of another length";
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

void WriteCheckpoint(const GoldenCase& c, const std::string& folder) {
  CHECK_OK(WriteRandomCheckpoint(c.config, folder, {.seed = c.seed, .digests = false}));
  EditTensors(folder, "_scale_inv", [](StoredMatrix& scales) {
    for (int64_t r = 0; r < scales.rows; ++r) {
      for (int64_t b = 0; b < scales.cols; ++b)
        scales.At<float>(r, b) /= static_cast<float>(1 << ((r + 2 * b) % 3));
    }
  });
}

absl::StatusOr<std::vector<float>> RunCase(const GoldenCase& c, const std::string& folder,
                                           MakeDevice device, WrapOps wrap_ops) {
  std::vector<int> passes = c.prefill;
  passes.resize(passes.size() + static_cast<size_t>(c.decoded()), 1);
  GroupRun run;
  run.folder = folder;
  run.sequences = {TokenIds(static_cast<int>(c.vocab()), c.length)};
  run.schedules = {InChunks(0, passes)};
  run.device = std::move(device);
  if (wrap_ops) {
    run.wrap_ops = [&wrap_ops](Ops& real, const ExpertPlacement&, int) { return wrap_ops(real); };
  }
  ASSIGN_OR_RETURN(const LogitsAt logits, RunGroup(run));
  std::vector<float> all;
  for (const auto& [place, values] : logits) all.insert(all.end(), values.begin(), values.end());
  return all;
}

std::unique_ptr<Device> NewBf16Device() {
  auto device = NewCpuDevice({});
  CHECK_OK(device);
  return *std::move(device);
}

double RelativeL2(const std::vector<float>& logits, const std::vector<float>& golden) {
  if (logits.size() != golden.size()) return std::numeric_limits<double>::infinity();
  double error = 0, norm = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    error += std::pow(double{logits[i]} - golden[i], 2);
    norm += std::pow(double{golden[i]}, 2);
  }
  return std::sqrt(error / norm);
}

}  // namespace shoal
