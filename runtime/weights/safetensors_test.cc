#include "runtime/weights/safetensors.h"

#include <string>

#include "gtest/gtest.h"

#include "runtime/weights/testing/temp_folder.h"

namespace shoal {
namespace {

std::string LengthBytes(uint64_t length) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i));
  return out;
}

class SafetensorsTest : public ::testing::Test {
 protected:
  absl::StatusOr<SafetensorsFile> Open(const std::string& header, size_t data_bytes) {
    return OpenRaw(LengthBytes(header.size()) + header + std::string(data_bytes, 'd'));
  }
  absl::StatusOr<SafetensorsFile> OpenRaw(const std::string& content) {
    folder_.Write("t.safetensors", content);
    return SafetensorsFile::Open(folder_.File("t.safetensors"));
  }
  // The message without the path, which must stand first.
  std::string ErrorOf(const absl::StatusOr<SafetensorsFile>& file) {
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << file.status();
    const std::string message(file.status().message());
    const std::string prefix = folder_.File("t.safetensors") + ": ";
    EXPECT_EQ(message.substr(0, prefix.size()), prefix);
    return message.substr(std::min(prefix.size(), message.size()));
  }

  TempFolder folder_;
};

constexpr char kGood[] = R"({"__metadata__":{"format":"pt"},
  "b":{"dtype":"F32","shape":[2],"data_offsets":[6,14]},
  "a":{"dtype":"BF16","shape":[1,3],"data_offsets":[0,6]},
  "empty":{"dtype":"F32","shape":[0,7],"data_offsets":[14,14]},
  "c":{"dtype":"F8_E4M3","shape":[5],"data_offsets":[14,19]}}  )";

TEST_F(SafetensorsTest, ListsTensorsByOffset) {
  const auto file = Open(kGood, 19);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->tensors().size(), 4u);
  const StoredTensor& a = file->tensors()[0];
  const uint64_t data = 8 + std::string(kGood).size();
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::kBF16);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(a.offset, data);
  EXPECT_EQ(a.bytes, 6u);
  EXPECT_EQ(file->tensors()[1].name, "b");
  EXPECT_EQ(file->tensors()[2].name, "empty");
  EXPECT_EQ(file->tensors()[3].offset, data + 14);
}

TEST_F(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string whole = LengthBytes(sizeof(kGood) - 1) + kGood + std::string(19, 'd');
  ASSERT_TRUE(OpenRaw(whole).ok());
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(OpenRaw(whole.substr(0, n)).ok()) << "first " << n << " bytes";
  }
  EXPECT_FALSE(OpenRaw(whole + "x").ok());
}

TEST_F(SafetensorsTest, LyingHeaderLengthIsRefused) {
  EXPECT_EQ(ErrorOf(OpenRaw("1234567")), "7 bytes are too few for the 8 of the header length");
  EXPECT_EQ(ErrorOf(OpenRaw(LengthBytes(3) + "{}")),
            "the header claims 3 bytes, but at most 2 are possible in a file of 10");
  EXPECT_EQ(
      ErrorOf(OpenRaw(LengthBytes(~uint64_t{0}) + "{}")),
      "the header claims 18446744073709551615 bytes, but at most 2 are possible in a file of 10");
  EXPECT_EQ(ErrorOf(OpenRaw(LengthBytes(0))), "the header begins with \"\", not with {");
  EXPECT_EQ(ErrorOf(Open("  {}", 0)), "the header begins with \" \", not with {");
}

TEST_F(SafetensorsTest, LyingEntriesAreRefused) {
  const auto one = [&](const std::string& entry) {
    return ErrorOf(Open(R"({"w":)" + entry + "}", 8));
  };
  EXPECT_EQ(one(R"({"dtype":"F16","shape":[4],"data_offsets":[0,8]})"),
            "tensor w: dtype is \"F16\", not one of F32, BF16, F8_E4M3");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[3],"data_offsets":[0,8]})"),
            "tensor w: shape [3] of \"BF16\" takes 6 bytes, but its range has 8");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
            "tensor w: shape [4294967296, 4294967296] of \"BF16\" takes more than 2^63 bytes, but "
            "its range has 8");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[18446744073709551615],"data_offsets":[0,8]})"),
            "tensor w: shape [18446744073709551615] of \"BF16\" takes more than 2^63 bytes, but "
            "its range has 8");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[-4],"data_offsets":[0,8]})"),
            "tensor w: shape is [-4], not an array of at most 8 unsigned numbers");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,8]})"),
            "tensor w: shape is [1,1,1,1,1,1,1,1,4], not an array of at most 8 unsigned numbers");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[4],"data_offsets":[0,8,8]})"),
            "tensor w: data_offsets is [0,8,8], not two unsigned numbers");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[4],"data_offsets":[0.0,8]})"),
            "tensor w: data_offsets is [0.0,8], not two unsigned numbers");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[4],"data_offsets":[8,0]})"),
            "tensor w: data_offsets are [8, 0], but the file has 8 bytes of data");
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[8],"data_offsets":[0,16]})"),
            "tensor w: data_offsets are [0, 16], but the file has 8 bytes of data");
  const std::string alone = ", not an object of dtype, shape and data_offsets alone";
  EXPECT_EQ(one(R"({"dtype":"BF16","shape":[4]})"),
            R"(tensor w: its entry is {"dtype":"BF16","shape":[4]})" + alone);
  EXPECT_EQ(
      one(R"({"dtype":"BF16","shape":[4],"data_offsets":[0,8],"x":1})"),
      R"(tensor w: its entry is {"data_offsets":[0,8],"dtype":"BF16","shape":[4],"x":1})" + alone);
  EXPECT_EQ(one("7"), "tensor w: its entry is 7" + alone);
}

TEST_F(SafetensorsTest, RangesMustTileTheData) {
  const auto two = [&](const std::string& first, const std::string& second, size_t bytes) {
    const std::string entry = R"(:{"dtype":"BF16","shape":[2],"data_offsets":)";
    return ErrorOf(Open(R"({"a")" + entry + first + R"(},"b")" + entry + second + "}}", bytes));
  };
  EXPECT_EQ(two("[0,4]", "[6,10]", 10),
            "tensor b: its data begins at 6, but the data before it ends at 4");
  EXPECT_EQ(two("[0,4]", "[2,6]", 6),
            "tensor b: its data begins at 2, but the data before it ends at 4");
  EXPECT_EQ(two("[0,4]", "[0,4]", 4),
            "tensor b: its data begins at 0, but the data before it ends at 4");
  EXPECT_EQ(two("[4,8]", "[8,12]", 12),
            "tensor a: its data begins at 4, but the data before it ends at 0");
  EXPECT_EQ(two("[0,4]", "[4,8]", 9), "the tensors end at byte 8 of the data, but the file has 9");
}

TEST_F(SafetensorsTest, HeaderJsonIsStrict) {
  EXPECT_EQ(ErrorOf(Open(R"({"w":{},"w":{}})", 0)), "header: key \"w\" stands twice in one object");
  EXPECT_EQ(ErrorOf(Open("{\"\xff\":{}}", 0)), "header: not JSON at byte 3");
  EXPECT_EQ(ErrorOf(Open(R"({"__metadata__":{"a":1}})", 0)), "__metadata__.a is 1, not a string");
  EXPECT_EQ(ErrorOf(Open(R"({"__metadata__":[]})", 0)), "__metadata__ is [], not an object");
}

// What a file names itself cannot forge or flood a log.
TEST_F(SafetensorsTest, NamesAreQuotedOnOneShortLine) {
  EXPECT_EQ(
      ErrorOf(Open("{\"w\\nERROR\":7}", 0)),
      "tensor w\\nERROR: its entry is 7, not an object of dtype, shape and data_offsets alone");
  const std::string name(1 << 20, 'n');
  EXPECT_LT(ErrorOf(Open("{\"" + name + "\":7}", 0)).size(), 300u);
  EXPECT_LT(ErrorOf(Open("{\"w\":\"" + name + "\"}", 0)).size(), 300u);
}

TEST_F(SafetensorsTest, NestingIsBounded) {
  EXPECT_EQ(ErrorOf(Open("{\"w\":" + std::string(1 << 20, '['), 0)),
            "header: nested deeper than 8 levels");
}

TEST_F(SafetensorsTest, WhatIsNoFileIsRefused) {
  EXPECT_EQ(SafetensorsFile::Open(folder_.File("none")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(SafetensorsFile::Open(folder_.path()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace shoal
