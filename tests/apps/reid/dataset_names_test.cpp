#include "apps/reid/dataset_names.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tyto/error.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

ImageLabel read(const std::string& dataset, const std::string& path) {
  return NameRule::dataset(dataset).label(path);
}

std::string refusal(auto&& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

TEST(DatasetNames, ReadEveryDatasetsOwnNames) {
  EXPECT_EQ(read("market1501", "0002_c1s1_000451_03.jpg"), (ImageLabel{2, 1}));
  EXPECT_EQ(read("market1501", "-1_c3s2_000001_00.jpg"), (ImageLabel{-1, 3}));
  EXPECT_EQ(read("market1501", "0000_c6s3_012345_05.jpg"), (ImageLabel{0, 6}));
  EXPECT_EQ(read("market1501", "1501_c12s1_000451_03.jpg"), (ImageLabel{1501, 12}));
  EXPECT_EQ(read("dukemtmc", "0005_c2_f0046985.jpg"), (ImageLabel{5, 2}));
  EXPECT_EQ(read("msmt17", "0000_000_01_0303morning_0015_0.jpg"), (ImageLabel{0, 1}));
  EXPECT_EQ(read("msmt17", "3059_012_15_0113noon_1234_2_ex.jpg"), (ImageLabel{3059, 15}));
  EXPECT_EQ(read("veri", "0002_c002_00030600_0.jpg"), (ImageLabel{2, 2}));
  EXPECT_EQ(read("veri", "0776_c020_00001234_1.jpg"), (ImageLabel{776, 20}));
}

TEST(DatasetNames, OfSysuAreFoldersOfCameraAndIdentity) {
  EXPECT_EQ(read("sysu", "cam3/0006/0001.jpg"), (ImageLabel{6, 3}));
  EXPECT_EQ(read("sysu", "copies/cam6/0417/x.png"), (ImageLabel{417, 6}));
  EXPECT_EQ(NameRule::dataset("sysu").label("0006/0001.jpg", "SYSU-MM01/cam3"), (ImageLabel{6, 3}));
  EXPECT_EQ(NameRule::dataset("sysu").label("0001.jpg", "cam3/0006"), (ImageLabel{6, 3}));
  for (const char* name :
       {"0006/0001.jpg", "cam7/0006/0001.jpg", "webcam3/0006/0001.jpg", "cam3/0006/a/0001.jpg"})
    EXPECT_NE(refusal([&] { read("sysu", name); }, ErrorKind::Format).find("cam3/0006/0001.jpg"),
              std::string::npos);
}

TEST(DatasetNames, FoldersPerIdentityDoNotMatter) {
  EXPECT_EQ(read("market1501", "0002/0002_c1s1_000451_03.jpg"), (ImageLabel{2, 1}));
  EXPECT_EQ(read("market1501", "-1/-1_c3s2_000001_00.jpg"), (ImageLabel{-1, 3}));
  EXPECT_EQ(read("veri", "0009_c009_x/v0002/0002_c002_00030600_0.jpg"), (ImageLabel{2, 2}));
}

TEST(DatasetNames, PlainFoldersHaveNoLabels) {
  EXPECT_EQ(read("plain", "holiday/0002_c1s1_000451_03.jpg"), (ImageLabel{-1, -1}));
  EXPECT_FALSE(NameRule::dataset("plain").labels());
}

TEST(DatasetNames, AForeignNameIsRefusedWithTheRuleAndAnExample) {
  for (const char* name :
       {"IMG_0417.jpg", "", "c1s1.jpg", "0002-c1s1.jpg", "0002_d1s1_000451.jpg", "-2_c1s1_0_0.jpg"}) {
    const std::string message = refusal([&] { read("market1501", name); }, ErrorKind::Format);
    EXPECT_NE(message.find(name), std::string::npos) << message;
    EXPECT_NE(message.find("market1501"), std::string::npos) << message;
    EXPECT_NE(message.find("0002_c1s1_000451_03.jpg"), std::string::npos) << message;
  }
  refusal([] { read("market1501", "99999999999999999999_c1s1_000451_03.jpg"); }, ErrorKind::Format);
  const std::string message = refusal([] { NameRule::dataset("market"); }, ErrorKind::Usage);
  EXPECT_NE(message.find("use market1501, dukemtmc, msmt17, veri, sysu, regdb or plain"), std::string::npos)
      << message;
}

TEST(NamePattern, NamedGroupsInAnyOrder) {
  const NameRule rule = NameRule::pattern(R"(cam(?<camera>\d+)/(?:x|y)[(](?<id>-?\d+)_)");
  EXPECT_EQ(rule.label("root/cam12/y(0034_7.jpg"), (ImageLabel{34, 12}));
  EXPECT_EQ(rule.label("cam1/x(-1_7.jpg"), (ImageLabel{-1, 1}));
  EXPECT_EQ(NameRule::pattern(R"(\(?<(?P<id>\d+))").label("a<7"), (ImageLabel{7, -1}));
  EXPECT_EQ(rule.name(), R"(pattern cam(?<camera>\d+)/(?:x|y)[(](?<id>-?\d+)_)");
}

TEST(NamePattern, NumberedGroupsAreIdentityThenCamera) {
  EXPECT_EQ(NameRule::pattern(R"((\d+)_(\d+))").label("a/17_4.png"), (ImageLabel{17, 4}));
  EXPECT_EQ(NameRule::pattern(R"(^(\d+))").label("17_4.png"), (ImageLabel{17, -1}));
  EXPECT_EQ(NameRule::pattern(R"((\d+)(?:_(\d+))?)").label("17.png"), (ImageLabel{17, -1}));
  EXPECT_EQ(NameRule::pattern(R"((?<camera>\d+))").label("17.png"), (ImageLabel{-1, 17}));
}

TEST(NamePattern, PrefersTheFirstAlternativeAndGreedyRepeats) {
  EXPECT_EQ(NameRule::pattern(R"(p(\d+)c?(\d*?)x)").label("p12c34x"), (ImageLabel{12, 34}));
  EXPECT_EQ(NameRule::pattern(R"(p(\d+)(\d+))").label("p1234"), (ImageLabel{123, 4}));
}

TEST(NamePattern, SaysWhatIsWrongWithAnExpression) {
  const auto message = [](const std::string& expression) {
    return refusal([&] { NameRule::pattern(expression); }, ErrorKind::Usage);
  };
  EXPECT_NE(message("abc").find("no group"), std::string::npos);
  EXPECT_NE(message("").find("no group"), std::string::npos);
  for (const auto& [expression, what] : {std::pair{R"((\d+)", "missing )"},
                                         {"([0-9)", "missing ]"},
                                         {"*(a)", "no argument for repetition operator"},
                                         {"(a){2,1}", "invalid repetition size"},
                                         {R"((?<person>\d+))", "'person'"},
                                         {R"((?<id>\d+)(?<id>\d+))", "two groups are named id"},
                                         {"(?<id", "named capture"},
                                         {R"((\d+)_\1)", "invalid escape sequence: \\1"},
                                         {R"((\d+)(?=_))", "invalid perl operator: (?="},
                                         {"((((a{999}){999}){999}){999})", "size"}})
    EXPECT_NE(message(expression).find(what), std::string::npos) << message(expression);
}

TEST(NamePattern, AGroupThatIsNoNumberIsNamedWithItsFile) {
  const std::string message =
      refusal([] { NameRule::pattern(R"((\w+)_)").label("anna_1.jpg"); }, ErrorKind::Format);
  EXPECT_NE(message.find("anna_1.jpg"), std::string::npos) << message;
  EXPECT_NE(message.find("'anna'"), std::string::npos) << message;
}

TEST(NamePattern, ExpressionsMadeToHangDoNot) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* expression : {"^(a+)+$", "^(a|aa)+$", "^(a*)*b(x)", "((a?){30})a{30}b"})
    EXPECT_THROW(NameRule::pattern(expression).label(std::string(250, 'a') + "!"), Error) << expression;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
