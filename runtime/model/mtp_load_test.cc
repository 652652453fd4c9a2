// What LoadDeepSeek does with the MTP module: nothing unless asked; then its bytes count, its
// copies of embedding and head are held once where they are copies, and what cannot draft is
// refused.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "runtime/device/device.h"
#include "runtime/device/reference/reference_device.h"
#include "runtime/model/config.h"
#include "runtime/model/deepseek_load.h"
#include "runtime/model/tensor_table.h"
#include "runtime/model/testing/random_checkpoint.h"
#include "runtime/moe/placement.h"
#include "runtime/tensor/dtype.h"
#include "runtime/weights/checkpoint.h"
#include "runtime/weights/checkpoint_writer.h"
#include "runtime/weights/tensor_table.h"
#include "runtime/weights/testing/temp_folder.h"

namespace shoal {
namespace {

constexpr int kVocab = 131, kHidden = 72;
constexpr int64_t kCopyBytes = 2 * kVocab * kHidden * 2;  // embedding and head, BF16

class MtpLoad : public ::testing::Test {
 protected:
  MtpLoad() {
    auto config = ParseDeepSeekConfig(TinyV3Config().dump());
    EXPECT_TRUE(config.ok()) << config.status();
    config_ = *std::move(config);
  }

  // Random weights; with `repeat`, the module's embedding and head repeat the main model's but for
  // the last `change` bytes.
  void Write(bool repeat, bool digests, size_t change = 0) const {
    std::vector<CheckpointWriter::NewTensor> tensors;
    for (const TensorSpec& spec : DeepSeekTensorTable(config_, true)) {
      tensors.push_back({spec.name, spec.dtypes.front(), spec.shape});
      if (!spec.copy_of.empty() && repeat) original_[spec.name] = spec.copy_of;
    }
    CheckpointWriter writer(folder_.path(), {.digests = digests});
    const auto data =
        [&](const CheckpointWriter::NewTensor& t) -> absl::StatusOr<std::vector<std::byte>> {
      TensorSpec spec;
      spec.name = original_.contains(t.name) ? original_[t.name] : t.name;
      spec.shape = t.shape;
      const std::vector<BF16> values = RandomValues(spec, 3);
      std::vector<std::byte> bytes(values.size() * SizeOf(t.dtype));
      for (size_t i = 0; i < values.size(); ++i) {
        const float wide = values[i].ToFloat();
        t.dtype == DType::kF32 ? std::memcpy(&bytes[i * 4], &wide, 4)
                               : std::memcpy(&bytes[i * 2], &values[i], 2);
      }
      if (original_.contains(t.name)) {
        for (size_t i = 0; i < change; ++i) bytes[bytes.size() - 1 - i] ^= std::byte{1};
      }
      return bytes;
    };
    ASSERT_TRUE(writer.WriteShard(std::string(kSingleFile), std::move(tensors), data).ok());
    ASSERT_TRUE(writer.Finish().ok());
  }

  absl::StatusOr<std::unique_ptr<LoadedModel>> Load(bool mtp, int layers, int rank = 0) const {
    const auto placement = ExpertPlacement::Contiguous(layers, 16, 4);
    EXPECT_TRUE(placement.ok());
    LoadOptions options;
    options.mtp = mtp;
    return LoadDeepSeek(config_, folder_.path(), *placement, rank, *device_, options);
  }
  // Bytes of the share of rank 1 of 4, copies taken once.
  int64_t ShareOfRank(bool mtp) const {
    const auto placement = ExpertPlacement::Contiguous(PlacedLayers(config_, mtp), 16, 4);
    return ShareBytes(DeepSeekTensorTable(config_, mtp), ShareOf(*placement, 1));
  }

  const std::unique_ptr<Device> device_ = NewReferenceDevice();
  const TempFolder folder_;
  DeepSeekConfig config_;
  mutable std::map<std::string, std::string> original_;
};

TEST_F(MtpLoad, OffByDefault) {
  Write(true, true);
  const auto model = Load(LoadOptions().mtp, 2, 1);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->draft(), nullptr);
  EXPECT_EQ((*model)->layers(), 3);
  EXPECT_EQ((*model)->weight_bytes_read(), ShareOfRank(false));
}

TEST_F(MtpLoad, CopiesAreHeldOnce) {
  for (const bool digests : {true, false}) {
    Write(true, digests);
    const auto model = Load(true, 3, 1);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_NE((*model)->draft(), nullptr);
    EXPECT_EQ((*model)->layers(), 4);
    EXPECT_EQ((*model)->weight_bytes_read(), ShareOfRank(true)) << digests;
    EXPECT_GT(ShareOfRank(true), ShareOfRank(false));
  }
}

TEST_F(MtpLoad, WhatDiffersInOneByteIsLoadedOnItsOwn) {
  for (const bool digests : {true, false}) {
    Write(true, digests, 1);
    const auto model = Load(true, 3, 1);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->weight_bytes_read(), ShareOfRank(true) + kCopyBytes) << digests;
  }
}

// Held once or twice, with and without digests.json: the digest covers the copies' data.
TEST_F(MtpLoad, TheDigestCoversTheCopies) {
  std::vector<std::string> digests;
  for (const size_t change : {0, 1}) {
    for (const bool file : {true, false}) {
      Write(true, file, change);
      const auto model = Load(true, 3, 1);
      ASSERT_TRUE(model.ok()) << model.status();
      digests.push_back((*model)->weights_digest());
    }
  }
  EXPECT_NE(digests[0], digests[2]);
  EXPECT_NE(digests[1], digests[3]);
}

TEST_F(MtpLoad, APlacementWithoutTheModuleIsRefused) {
  Write(true, true);
  EXPECT_EQ(Load(true, 2).status(),
            absl::InvalidArgumentError("the placement is for 2 MoE layers of 16 experts, but the "
                                       "model with its MTP module has 3 of 16"));
  EXPECT_EQ(Load(false, 3).status(),
            absl::InvalidArgumentError("the placement is for 3 MoE layers of 16 experts, but the "
                                       "model has 2 of 16"));
}

TEST_F(MtpLoad, OnlyOneModuleDrafts) {
  for (const int modules : {0, 2}) {
    config_.mtp_layers = modules;
    EXPECT_EQ(Load(true, 2 + modules).status(),
              absl::InvalidArgumentError(absl::StrCat("num_nextn_predict_layers is ", modules,
                                                      ", but drafting takes a model with 1 MTP "
                                                      "module")));
  }
}

}  // namespace
}  // namespace shoal
