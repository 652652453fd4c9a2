#ifndef SHOAL_RUNTIME_WEIGHTS_TESTING_TEMP_FOLDER_H_
#define SHOAL_RUNTIME_WEIGHTS_TESTING_TEMP_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace shoal {

// An empty folder of the test's own, removed with everything in it.
class TempFolder {
 public:
  TempFolder() : path_(::testing::TempDir() + "/shoal_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(File(name), std::ios::binary) << content;
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(File(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

 private:
  std::string path_;
};

}  // namespace shoal

#endif  // SHOAL_RUNTIME_WEIGHTS_TESTING_TEMP_FOLDER_H_
