#include "runtime/weights/file.h"

#include <sys/stat.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "runtime/weights/testing/temp_folder.h"

namespace shoal {
namespace {

std::string Text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(InputFile, ReadsScatteredParts) {
  TempFolder folder;
  std::string content;
  for (int i = 0; i < 5000; ++i) content += static_cast<char>('a' + i % 26);
  folder.Write("f", content);
  const auto file = InputFile::Open(folder.File("f"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size(), 5000u);
  // More parts than one system call takes, some of them empty.
  std::vector<std::vector<std::byte>> memory;
  for (int i = 0; i < 2500; ++i) memory.emplace_back(static_cast<size_t>(i % 3));
  std::vector<absl::Span<std::byte>> parts;
  for (auto& m : memory) parts.push_back(absl::MakeSpan(m));
  ASSERT_TRUE(file->ReadScattered(7, parts).ok());
  std::string joined;
  for (const auto& m : memory) joined += Text(m);
  EXPECT_EQ(joined, content.substr(7, joined.size()));
  EXPECT_EQ(joined.size(), 2499u);
}

TEST(InputFile, EndOfFileIsDataLoss) {
  TempFolder folder;
  folder.Write("f", "12345");
  const auto file = InputFile::Open(folder.File("f"));
  std::vector<std::byte> out(3);
  EXPECT_TRUE(file->Read(2, absl::MakeSpan(out)).ok());
  EXPECT_EQ(Text(out), "345");
  const absl::Status status = file->Read(3, absl::MakeSpan(out));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("ends at byte 5"), std::string::npos) << status;
}

TEST(InputFile, OnlyRegularFiles) {
  TempFolder folder;
  ASSERT_EQ(mkfifo(folder.File("pipe").c_str(), 0600), 0);
  EXPECT_EQ(InputFile::Open(folder.File("pipe")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InputFile::Open(folder.path()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InputFile::Open(folder.File("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST(SmallFile, RoundTripAndLimit) {
  TempFolder folder;
  const std::string text = "hello";
  ASSERT_TRUE(WriteFileAtomically(folder.File("f"),
                                  {reinterpret_cast<const std::byte*>(text.data()), text.size()})
                  .ok());
  EXPECT_EQ(*ReadSmallFile(folder.File("f"), 5), "hello");
  const absl::Status status = ReadSmallFile(folder.File("f"), 4).status();
  EXPECT_EQ(status.message(), folder.File("f") + " has 5 bytes; at most 4 are expected");
  EXPECT_EQ(WriteFileAtomically(folder.File("no/f"), {}).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace shoal
