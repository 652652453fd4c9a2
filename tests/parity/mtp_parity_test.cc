// The MTP module against the float64 form of it (mtp_form.py), on every case of mtp_cases.json.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/base/check.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/model/config.h"
#include "runtime/model/tensor_table.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/testing/temp_folder.h"
#include "tests/parity/choice_replay.h"
#include "tests/parity/golden_case.h"
#include "tests/parity/mtp_rig.h"
#include "tests/parity/mtp_saboteurs.h"

namespace shoal {
namespace {

using nlohmann::json;

constexpr double kReferenceBound = 1e-5;
constexpr double kBf16Bound = 2e-2;

struct MtpCase {
  std::string name;
  uint64_t seed = 0;
  int length = 0, chained = 0;
  std::vector<int> passes;
  DeepSeekConfig config;
};

std::string ReadFile(const std::string& name) {
  std::ifstream in("tests/parity/testdata/" + name, std::ios::binary);
  CHECK(in.good()) << name << " cannot be read";
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

DeepSeekConfig Parse(json fields, bool dense_module) {
  // The family gives layer N a dense FFN where N < first_k_dense_replace, so the module's is dense
  // only in a model without MoE layers, which config.json may not describe.
  if (dense_module) fields["first_k_dense_replace"] = 0;
  auto config = ParseDeepSeekConfig(fields.dump());
  CHECK_OK(config);
  if (dense_module) config->dense_layers = config->layers + 1;
  return *std::move(config);
}

std::vector<MtpCase> ReadCases() {
  const json manifest = json::parse(ReadFile("mtp_cases.json"));
  std::vector<MtpCase> cases;
  for (const json& entry : manifest.at("cases")) {
    json fields = manifest.at("base");
    for (const auto& [field, value] : entry.at("config").items()) fields[field] = value;
    cases.push_back({entry.at("name"), entry.at("seed"), entry.at("length"), entry.at("chained"),
                     entry.at("passes"), Parse(fields, entry.at("dense_module"))});
  }
  return cases;
}

std::vector<float> ReadGolden(const MtpCase& c) {
  const std::string raw = ReadFile(c.name + ".f32");
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
}

// The checkpoint without config.json: BF16, biases in F32.
void WriteWeights(const MtpCase& c, const std::string& folder) {
  std::vector<CheckpointWriter::NewTensor> tensors;
  for (const TensorSpec& spec : DeepSeekTensorTable(c.config)) {
    tensors.push_back({spec.name, spec.dtypes.front(), spec.shape});
  }
  CheckpointWriter writer(folder);
  CHECK_OK(writer.WriteShard(
      std::string(kSingleFile), std::move(tensors),
      [&](const CheckpointWriter::NewTensor& t) -> absl::StatusOr<std::vector<std::byte>> {
        TensorSpec spec;
        spec.name = t.name, spec.shape = t.shape;
        const std::vector<BF16> values = RandomValues(spec, c.seed);
        std::vector<float> wide;
        for (const BF16 v : values) wide.push_back(v.ToFloat());
        const auto bytes =
            t.dtype == DType::kF32
                ? absl::MakeConstSpan(reinterpret_cast<const std::byte*>(wide.data()),
                                      wide.size() * 4)
                : absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values.data()),
                                      values.size() * 2);
        return std::vector<std::byte>(bytes.begin(), bytes.end());
      }));
  CHECK_OK(writer.Finish());
}

// All rows in passes of the case's sizes; then each chained row, whose slot the real row takes
// back.
std::vector<float> Serve(const MtpCase& c, const std::string& folder, MtpRigParts parts) {
  std::vector<TokenId> ids;
  for (int i = 0; i < c.length; ++i) ids.push_back((i * i * 31 + i * 7 + 3) % c.config.vocab);
  const absl::Span<const TokenId> all(ids);
  auto rig = MtpRig::Open(c.config, folder, c.length, std::move(parts));
  CHECK_OK(rig);
  std::vector<float> logits;
  const auto keep = [&](const absl::StatusOr<MtpRig::Rows>& rows) {
    CHECK_OK(rows);
    for (const auto& row : *rows) logits.insert(logits.end(), row.begin(), row.end());
  };
  int begin = 0;
  for (const int size : c.passes) {
    CHECK_OK((*rig)->Forward(begin, all.subspan(begin, size)));
    keep((*rig)->Draft(begin + 1, all.subspan(begin + 1, std::min(size, c.length - begin - 1))));
    begin += size;
  }
  for (int position = 2; position < c.chained + 2; ++position) {
    const auto row = (*rig)->Chain(position, ids[position]);
    CHECK_OK(row);
    logits.insert(logits.end(), row->begin(), row->end());
    CHECK_OK((*rig)->Draft(position, all.subspan(position, 1)));
  }
  return logits;
}

class MtpParity : public ::testing::TestWithParam<MtpCase> {
 protected:
  void SetUp() override { WriteWeights(GetParam(), folder_.path()); }

  double Error(MtpRigParts parts) const {
    return RelativeL2(Serve(GetParam(), folder_.path(), std::move(parts)), ReadGolden(GetParam()));
  }

  TempFolder folder_;
};

TEST_P(MtpParity, LogitsMatchTheFloat64Form) {
  ChoiceLog log;
  MtpRigParts recorded = Sabotaged(NewReferenceDevice(), MtpFault::kNone);
  recorded.wrap_ops = [&](Ops& real) { return RecordChoices(real, log); };
  const double reference = Error(std::move(recorded));
  // Rounding alone: the choices of experts are float32's (choice_replay.h).
  Flips flips;
  MtpRigParts replayed = Sabotaged(NewBf16Device(), MtpFault::kNone);
  replayed.wrap_ops = [&](Ops& real) { return ReplayChoices(real, log, flips); };
  const double bf16 = Error(std::move(replayed));
  std::printf("%-24s reference %.1e | bf16 %.1e, %d of %d choices flipped\n",
              GetParam().name.c_str(), reference, bf16, static_cast<int>(flips.flips),
              static_cast<int>(flips.choices));
  EXPECT_LE(reference, kReferenceBound);
  EXPECT_LE(bf16, kBf16Bound);
}

// Each fault is far beyond the bound of either device.
TEST_P(MtpParity, FaultsAreSeen) {
  for (const auto& [fault, least] :
       {std::pair(MtpFault::kHiddenFirst, 0.5), std::pair(MtpFault::kUnnormedState, 0.05),
        std::pair(MtpFault::kFirstNotZeroed, 0.05)}) {
    const double error = Error(Sabotaged(NewReferenceDevice(), fault));
    std::printf("%-24s fault %d: %.1e\n", GetParam().name.c_str(), static_cast<int>(fault), error);
    EXPECT_GT(error, least) << static_cast<int>(fault);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, MtpParity, ::testing::ValuesIn(ReadCases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace shoal
