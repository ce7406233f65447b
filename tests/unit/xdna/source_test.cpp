// What the library's own source must keep to.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace xdna::test {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::set<std::string> matches(const std::string& text, const std::string& expression) {
    const std::regex regex(expression);
    std::set<std::string> found;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), regex);
         it != std::sregex_iterator(); ++it) {
        found.insert((*it)[1]);
    }
    return found;
}

class Source : public testing::Test {
  protected:
    void SetUp() override {
        if (!fs::exists("libxdna/os.cpp")) {
            GTEST_SKIP() << "not run from the top of the source tree";
        }
    }
};

TEST_F(Source, OnlyOsEntersTheKernel) {
    const std::regex entry("#include <(sys/ioctl\\.h|sys/mman\\.h|sys/syscall\\.h)>|\\bsyscall\\(");
    for (const auto& file : fs::directory_iterator("libxdna")) {
        const std::string name = file.path().filename();
        if (!file.is_regular_file() || name == "os.cpp") {
            continue;
        }
        EXPECT_FALSE(std::regex_search(read(file.path()), entry)) << file.path();
    }
    EXPECT_TRUE(std::regex_search(read("libxdna/os.cpp"), entry)) << "the expression is wrong";
}

TEST_F(Source, LibraryKnowsNothingOfTheVirtualNpu) {
    for (const auto& file : fs::recursive_directory_iterator("libxdna")) {
        if (!file.is_regular_file()) {
            continue;
        }
        const std::string text = read(file.path());
        EXPECT_EQ(text.find("#include \"emu/"), std::string::npos) << file.path();
        EXPECT_EQ(text.find("getenv"), std::string::npos) << file.path();
    }
}

TEST_F(Source, VersionMapListsWhatTheHeaderDeclares) {
    const auto declared =
        matches(read("include/xdna/xdna.h"), "XDNA_API [^;(]*\\b(xdna_[a-z0-9_]+)\\(");
    const auto exported = matches(read("libxdna/libxdna.map"), "\\b(xdna_[a-z0-9_]+);");
    EXPECT_GT(declared.size(), 50U);
    EXPECT_EQ(declared, exported);
}

TEST_F(Source, ManPageDescribesEveryFunction) {
    const auto declared =
        matches(read("include/xdna/xdna.h"), "XDNA_API [^;(]*\\b(xdna_[a-z0-9_]+)\\(");
    const std::string page = read("docs/man/libxdna.3");
    for (const std::string& name : declared) {
        EXPECT_NE(page.find(name), std::string::npos) << name << " is not in docs/man/libxdna.3";
    }
}

}  // namespace
}  // namespace xdna::test
