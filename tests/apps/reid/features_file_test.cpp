#include "apps/reid/features_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <random>

#include "apps/reid/sample_features.h"
#include "files/file.h"
#include "files/safetensors.h"
#include "files/sha256.h"
#include "files/utf8.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

void expect_equal(const FeatureSet& a, const FeatureSet& b) {
  EXPECT_EQ(a.root, b.root);
  EXPECT_EQ(a.paths, b.paths);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.cameras, b.cameras);
  ASSERT_EQ(a.features.size(), b.features.size());
  for (size_t i = 0; i < a.features.size(); ++i) {
    ASSERT_EQ(a.features[i].shape(), b.features[i].shape());
    EXPECT_TRUE(std::ranges::equal(a.features[i].as<float>(), b.features[i].as<float>()));
  }
}

std::string message_of(const std::function<void()>& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

TEST(FeaturesFile, GivesBackWhatWasWritten) {
  const TestFolder folder;
  Features written = sample_features();
  written.sets[SetKind::MultiQuery] = sample_set("data/multi-query", 7, 4);
  written.shard = Shard{2, 5};
  written.provenance.split = 7;
  write_features(folder / "f.safetensors", written);
  const Features read = read_features(folder / "f.safetensors");
  EXPECT_EQ(read.provenance.model, written.provenance.model);
  EXPECT_EQ(read.provenance.network, "ft_net");
  EXPECT_EQ(read.provenance.precision, "fp32");
  EXPECT_TRUE(read.provenance.flip);
  EXPECT_EQ(read.provenance.scales, (std::vector<double>{1, 1.1}));
  EXPECT_EQ(read.provenance.dataset, "market1501");
  EXPECT_EQ(read.provenance.split, 7);
  EXPECT_EQ(read.shard, written.shard);
  ASSERT_EQ(read.sets.size(), 3u);
  for (const auto& [kind, set] : written.sets) expect_equal(read.sets.at(kind), set);
}

TEST(FeaturesFile, GivesBackEveryMatrixOrTheOneAskedFor) {
  const TestFolder folder;
  const Features written = sample_of_two_matrices();
  write_features(folder / "f", written);
  const Features all = read_features(folder / "f");
  EXPECT_EQ(all.provenance.features, (std::vector<std::string>{"fc", "pool"}));
  for (const auto& [kind, set] : written.sets) expect_equal(all.sets.at(kind), set);
  for (const auto& [asked, index] : {std::pair{"", 0}, {"fc", 0}, {"pool", 1}}) {
    const Features one = read_features(folder / "f", asked);
    EXPECT_EQ(one.provenance.features, (std::vector<std::string>{index == 0 ? "fc" : "pool"}));
    for (auto [kind, set] : written.sets) {
      set.features = {set.features[static_cast<size_t>(index)]};
      expect_equal(one.sets.at(kind), set);
    }
  }
  const std::string message = message_of([&] { read_features(folder / "f", "features"); }, ErrorKind::Usage);
  EXPECT_NE(message.find("no features 'features'; it has fc, pool"), std::string::npos) << message;
}

// SHA-256 of sample_features() as every tyto before files of several matrices wrote them.
TEST(FeaturesFile, OfOneMatrixHasTheBytesOfVersion1) {
  const TestFolder folder;
  write_features(folder / "f", sample_features());
  EXPECT_EQ(sha256_of_file(folder / "f"), "b90fbc4268dcd141fdeefebcdb5b28b90595658ff8b535768d23a001cbb9be5b");
}

TEST(FeaturesFile, IsWrittenSortedByPathWhateverTheOrderGiven) {
  const TestFolder folder;
  write_features(folder / "sorted", sample_of_two_matrices());
  Features shuffled = sample_of_two_matrices();
  FeatureSet& set = shuffled.sets[SetKind::Gallery];
  std::reverse(set.paths.begin(), set.paths.end());
  std::reverse(set.ids.begin(), set.ids.end());
  std::reverse(set.cameras.begin(), set.cameras.end());
  for (Tensor& matrix : set.features) {
    const Tensor from = matrix.clone();
    const int64_t width = matrix.dim(1);
    for (int i = 0; i < 5; ++i)
      std::copy_n(from.as<float>().begin() + width * i, width, matrix.as<float>().begin() + width * (4 - i));
  }
  write_features(folder / "shuffled", shuffled);
  EXPECT_EQ(read_text(folder / "shuffled", 1 << 20), read_text(folder / "sorted", 1 << 20));
}

TEST(FeaturesFile, EmptySetsAndNamesOfAnyScriptSurvive) {
  const TestFolder folder;
  Features f = sample_features(0, 1);
  f.sets[SetKind::Gallery].paths[0] = "\xE6\x9D\x8E \"quoted\"\n\\ <b>&.jpg";
  write_features(folder / "f", f);
  const Features read = read_features(folder / "f");
  EXPECT_EQ(read.sets.at(SetKind::Gallery).paths[0], f.sets[SetKind::Gallery].paths[0]);
  EXPECT_EQ(read.sets.at(SetKind::Query).rows(), 0);
}

TEST(FeaturesFile, RefusesToWriteWhatItCouldNotReadBack) {
  const TestFolder folder;
  Features twice = sample_features();
  twice.sets[SetKind::Gallery].paths[1] = twice.sets[SetKind::Gallery].paths[0];
  EXPECT_NE(message_of([&] { write_features(folder / "f", twice); }, ErrorKind::Format).find("twice"),
            std::string::npos);
  Features latin = sample_features();
  latin.sets[SetKind::Query].paths[0] = "caf\xE9.jpg";
  EXPECT_NE(message_of([&] { write_features(folder / "f", latin); }, ErrorKind::Unsupported).find("UTF-8"),
            std::string::npos);
  Features uneven = sample_features();
  uneven.sets[SetKind::Query].ids.pop_back();
  message_of([&] { write_features(folder / "f", uneven); }, ErrorKind::Shape);
  Features unnamed = sample_features();
  unnamed.provenance.features = {"fc", "pool"};
  message_of([&] { write_features(folder / "f", unnamed); }, ErrorKind::Shape);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FeaturesFile, NamesTheSetThatIsMissing) {
  Features f = sample_features();
  f.sets.erase(SetKind::Query);
  const std::string message = message_of([&] { f.set(SetKind::Query, "f.safetensors"); }, ErrorKind::Usage);
  EXPECT_NE(message.find("f.safetensors has no query features"), std::string::npos) << message;
}

TEST(FeaturesFile, IsUtf8KnowsTheStandardsCorners) {
  for (const char* good :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\xA6\x89", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

// --- files that lie ---

std::string good_file(const TestFolder& folder) {
  Features f = sample_of_two_matrices();
  f.shard = Shard{0, 1};
  write_features(folder / "good", f);
  return read_text(folder / "good", 1 << 20);
}

// The outcome of reading these bytes: true if they were accepted, false after one tyto::Error; anything else
// fails.
bool accepts(const TestFolder& folder, const std::string& bytes) {
  std::ofstream(folder / "bad", std::ios::binary) << bytes;
  try {
    const Features f = read_features(folder / "bad");
    for (const auto& [kind, set] : f.sets)  // what is accepted is consistent
      EXPECT_TRUE(
          set.features.size() == f.provenance.features.size() &&
          std::ranges::all_of(set.features, [&](const Tensor& t) { return t.dim(0) == set.rows(); }) &&
          set.ids.size() == set.paths.size() && set.cameras.size() == set.paths.size());
    return true;
  } catch (const Error& e) {
    EXPECT_FALSE(std::string(e.what()).empty());
    return false;
  }
}

TEST(FeaturesFile, EveryTruncationIsAnError) {
  const TestFolder folder;
  const std::string good = good_file(folder);
  for (size_t n = 0; n < good.size(); n += 1 + n / 97)
    EXPECT_FALSE(accepts(folder, good.substr(0, n))) << n << " bytes";
  EXPECT_FALSE(accepts(folder, good + "x"));
}

TEST(FeaturesFile, AlteredBytesAreAnErrorOrAnotherConsistentFile) {
  const TestFolder folder;
  const std::string good = good_file(folder);
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string bad = good;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
      bad[random() % bad.size()] = static_cast<char>(random());
    refused += !accepts(folder, bad);
  }
  EXPECT_GT(refused, 500);
}

TEST(FeaturesFile, MetadataThatContradictsTheTensorsIsNamed) {
  const TestFolder folder;
  const auto write = [&](const std::string& metadata) {
    SafetensorsWriter out(folder / "f",
                          {{"query.features", {DType::F32, {2, 3}}},
                           {"query.ids", {DType::I64, {2}}},
                           {"query.cameras", {DType::I64, {2}}}},
                          {{"tyto", metadata}});
    out.append("query.features", Tensor::zeros(DType::F32, {2, 3}));
    out.append("query.ids", Tensor::zeros(DType::I64, {2}));
    out.append("query.cameras", Tensor::zeros(DType::I64, {2}));
    out.commit();
  };
  const std::string start =
      R"({"kind": "features", "version": 1, "model": "m", "network": "n", "rule": "{}", "precision": "fp32",)"
      R"( "flip": true, "scales": [1.0], "exif": false, "dataset": "plain")";
  const auto with_sets = [&](const std::string& sets) { return start + R"(, "sets": )" + sets + "}"; };
  const auto named = [&](const std::string& features) {  // as version 2
    std::string text = with_sets(R"({"query": {"root": "", "paths": ["a", "b"]}})");
    text.replace(text.find("1,"), 1, "2");
    text.insert(text.size() - 1, features);
    return text;
  };
  write(with_sets(R"({"query": {"root": "", "paths": ["a", "b"]}})"));
  EXPECT_EQ(read_features(folder / "f").sets.at(SetKind::Query).rows(), 2);

  const std::pair<std::string, const char*> lies[] = {
      {with_sets(R"({"query": {"root": "", "paths": ["a"]}})"), "lists 1 images"},
      {with_sets(R"({"query": {"root": "", "paths": ["b", "a"]}})"), "not sorted"},
      {with_sets(R"({"query": {"root": "", "paths": ["a", "a"]}})"), "not sorted"},
      {with_sets(R"({"query": {"root": "", "paths": ["a", 7]}})"), "paths"},
      {with_sets(R"({"query": {"root": 1, "paths": ["a", "b"]}})"), "root"},
      {with_sets(R"({"query": []})"), "not a JSON object"},
      {with_sets(R"({"gallery": {"root": "", "paths": []}})"), "gallery.features"},
      {with_sets(R"({"probe": {"root": "", "paths": []}})"), "probe"},
      {with_sets("[]"), "sets"},
      {start + "}", "sets"},
      {start + R"(, "shard": {"index": 3, "count": 3}, "sets": {}})",
       "\"index\" that is not a whole number from 0 to 2"},
      {start + R"(, "shard": {"index": 0, "count": 99999999999999999999}, "sets": {}})", "count"},
      {named(""), "features"},
      {named(R"(, "features": [])"), "list of 1 to 64 names"},
      {named(R"(, "features": ["fc", "fc"])"), "list of 1 to 64 names"},
      {named(R"(, "features": ["ids"])"), "list of 1 to 64 names"},
      {named(R"(, "features": [""])"), "list of 1 to 64 names"},
      {named(R"(, "features": "fc")"), "features"},
      {named(R"(, "features": ["features", "pool"])"), "no tensor 'query.pool'"},
      {R"({"kind": "model"})", "not a features file"},
      {"[1]", "not a JSON object"},
      {"{", "not valid JSON"},
      {std::string(100000, '['), "nested too deeply"},
  };
  for (const auto& [metadata, expected] : lies) {
    write(metadata);
    const std::string message = message_of([&] { read_features(folder / "f"); }, ErrorKind::Format);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_NE(message.find((folder / "f").string()), std::string::npos) << message;
  }
}

TEST(FeaturesFile, OfANewerVersionIsRefusedInOneSentence) {
  const TestFolder folder;
  SafetensorsWriter out(folder / "f", {}, {{"tyto", R"({"kind": "features", "version": 3})"}});
  out.commit();
  const std::string message = message_of([&] { read_features(folder / "f"); }, ErrorKind::Unsupported);
  EXPECT_NE(message.find("version 3"), std::string::npos) << message;
}

}  // namespace
