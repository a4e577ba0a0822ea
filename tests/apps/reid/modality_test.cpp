#include "apps/reid/modality.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "apps/reid/sample_features.h"

namespace {

using namespace tyto;
using namespace tyto::apps;
namespace fs = std::filesystem;

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::Usage) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

// day/ and night/ with images, and night also by a link.
class ModalityByFolder : public testing::Test {
 protected:
  ModalityByFolder() {
    for (const char* name : {"day", "night", "night-2"}) fs::create_directories(folder_ / name);
    fs::create_directory_symlink(folder_ / "night", folder_ / "link");
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  TestFolder folder_;
};

TEST(Modality, OfACamera) {
  const ModalityRule both = ModalityRule::of({"1", "2"}, {"3", "06"});
  EXPECT_EQ(both.modality("a.jpg", 2), Modality::Visible);
  EXPECT_EQ(both.modality("a.jpg", 6), Modality::Thermal);
  EXPECT_TRUE(both.reads_cameras());
  const std::string message = refusal([&] { both.modality("a.jpg", 4); });
  expect_part(message, "a.jpg: --visible or --thermal does not say");
}

TEST(Modality, OfWhatIsNotDescribedIsTheOther) {
  EXPECT_EQ(ModalityRule::of({}, {"3"}).modality("a.jpg", 1), Modality::Visible);
  EXPECT_EQ(ModalityRule::of({"3"}, {}).modality("a.jpg", 1), Modality::Thermal);
}

TEST(Modality, OfAnUnknownCameraIsNotGuessed) {
  expect_part(refusal([] { ModalityRule::of({}, {"3"}).modality("a.jpg", -1); }), "a.jpg: its camera");
}

TEST(Modality, OfACameraThatIsOfBothIsRefused) {
  expect_part(refusal([] { ModalityRule::of({"3"}, {"3"}).modality("a.jpg", 3); }), "visible and thermal");
}

TEST_F(ModalityByFolder, BelowIt) {
  const ModalityRule rule = ModalityRule::of({}, {at("night/")});
  EXPECT_EQ(rule.modality(at("night/a.jpg"), -1), Modality::Thermal);
  EXPECT_EQ(rule.modality(at("night/deeper/a.jpg"), -1), Modality::Thermal);
  EXPECT_EQ(rule.modality(at("day/../night/a.jpg"), -1), Modality::Thermal);
  EXPECT_EQ(rule.modality(fs::relative(at("night/a.jpg")), -1), Modality::Thermal);
  EXPECT_EQ(rule.modality(at("night-2/a.jpg"), -1), Modality::Visible);
  EXPECT_EQ(rule.modality(at("day/night/a.jpg"), -1), Modality::Visible);
  EXPECT_FALSE(rule.reads_cameras());
}

TEST_F(ModalityByFolder, ByItsLinkOrItself) {
  EXPECT_EQ(ModalityRule::of({}, {at("night")}).modality(at("link/a.jpg"), -1), Modality::Thermal);
  EXPECT_EQ(ModalityRule::of({}, {at("link")}).modality(at("night/a.jpg"), -1), Modality::Thermal);
  EXPECT_EQ(ModalityRule::of({}, {folder_.path().string()}).modality(at("link/a.jpg"), -1),
            Modality::Thermal);
}

TEST_F(ModalityByFolder, OrByCamera) {
  const ModalityRule rule = ModalityRule::of({}, {at("night"), "3"});
  EXPECT_EQ(rule.modality(at("night/a.jpg"), 1), Modality::Thermal);
  EXPECT_EQ(rule.modality(at("day/a.jpg"), 3), Modality::Thermal);
  EXPECT_EQ(rule.modality(at("day/a.jpg"), 1), Modality::Visible);
}

TEST_F(ModalityByFolder, ThatIsNotThereIsNamed) {
  expect_part(refusal([&] { ModalityRule::of({}, {at("nigth")}); }),
              "--thermal " + at("nigth") + ": neither");
  for (const char* text : {"", "-3", "3x", "99999999999999999999"})
    expect_part(refusal([&] { ModalityRule::of({text}, {}); }), "--visible " + std::string(text));
}

TEST(ModalityPattern, SaysWhichByTheGroupThatTakesPart) {
  const ModalityRule both = ModalityRule::pattern(R"((?<visible>/rgb/)|(?<thermal>/ir\d/))");
  EXPECT_EQ(both.modality("a/rgb/b.jpg", -1), Modality::Visible);
  EXPECT_EQ(both.modality("a/ir2/b.jpg", -1), Modality::Thermal);
  expect_part(refusal([&] { both.modality("a/b.jpg", -1); }), "a/b.jpg: --modality-pattern does not say");
  EXPECT_EQ(ModalityRule::pattern("(?<thermal>_T)").modality("a_T.jpg", -1), Modality::Thermal);
  EXPECT_EQ(ModalityRule::pattern("(?<thermal>_T)").modality("a_V.jpg", -1), Modality::Visible);
  expect_part(refusal([] { ModalityRule::pattern("(?<visible>a)?.(?<thermal>b)?").modality("axb", -1); }),
              "visible and thermal");
}

TEST(ModalityPattern, SaysWhatIsWrongWithAnExpression) {
  for (const auto& [expression, what] :
       {std::pair{"night", "no group (?<visible>...) or (?<thermal>...)"},
        {"(night)", "no group (?<visible>...) or (?<thermal>...)"},
        {"(?<infrared>night)", "a group named 'infrared'; visible and thermal are known"},
        {"(?<thermal>night", "missing )"}})
    expect_part(refusal([&] { ModalityRule::pattern(expression); }), what);
}

}  // namespace
