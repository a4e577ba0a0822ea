#include <gtest/gtest.h>

#include "apps/reid/features_file.h"
#include "apps/reid/sample_features.h"
#include "files/file.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

class Join : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const Features& f) {
    write_features(folder_ / name, f);
    return folder_ / name;
  }
  Features join(const std::vector<std::filesystem::path>& paths) { return join_features(paths); }
  std::string refusal(const std::vector<std::filesystem::path>& paths) {
    try {
      join(paths);
    } catch (const Error& e) {
      return e.what();
    }
    ADD_FAILURE() << "was accepted";
    return {};
  }

  TestFolder folder_;
};

TEST_F(Join, OfAllShardsHasTheBytesOfAnUnshardedRun) {
  const auto whole = write("whole", sample_of_two_matrices(11, 40));
  for (const int count : {1, 2, 3, 50}) {  // 50: most shards are empty
    std::vector<std::filesystem::path> shards;
    for (int i = 0; i < count; ++i) {
      Features shard = sample_of_two_matrices(11, 40, 4, i, count);
      shard.shard = Shard{i, count};
      shards.insert(shards.begin(), write("shard" + std::to_string(i), shard));
    }
    Features joined = join(shards);
    EXPECT_FALSE(joined.shard);
    EXPECT_EQ(read_text(write("joined", joined), 1 << 20), read_text(whole, 1 << 20)) << count << " shards";
  }
}

TEST_F(Join, NamesTheMissingShards) {
  std::vector<std::filesystem::path> shards;
  for (const int i : {0, 2}) {
    Features shard = sample_features(11, 40, 4, i, 4);
    shard.shard = Shard{i, 4};
    shards.push_back(write("shard" + std::to_string(i), shard));
  }
  EXPECT_NE(refusal(shards).find("missing shard 1/4, 3/4"), std::string::npos) << refusal(shards);
}

TEST_F(Join, PutsQueryAndGalleryFilesTogether) {
  Features query = sample_features(), gallery = sample_features();
  query.sets.erase(SetKind::Gallery);
  gallery.sets.erase(SetKind::Query);
  const Features joined = join({write("q", query), write("g", gallery)});
  EXPECT_EQ(joined.sets.at(SetKind::Query).rows(), 3);
  EXPECT_EQ(joined.sets.at(SetKind::Gallery).rows(), 5);
}

TEST_F(Join, KeepsEqualNamesOfDifferentFoldersApart) {
  Features a = sample_features(), b = sample_features();
  b.sets[SetKind::Gallery].root = "more/gallery";
  b.sets.erase(SetKind::Query);
  const Features joined = join({write("a", a), write("b", b)});
  const FeatureSet& gallery = joined.sets.at(SetKind::Gallery);
  EXPECT_EQ(gallery.rows(), 10);
  EXPECT_EQ(gallery.root, "");
  EXPECT_EQ(gallery.paths.front(), "data/gallery/folder/aa.jpg");
  EXPECT_EQ(gallery.paths.back(), "more/gallery/folder/ae.jpg");
  EXPECT_EQ(joined.sets.at(SetKind::Query).root, "data/query");
}

TEST_F(Join, RefusesTheSameImageTwiceNamingBothFiles) {
  const auto a = write("a", sample_features()), b = write("b", sample_features());
  const std::string message = refusal({a, b});
  EXPECT_NE(message.find("folder/aa.jpg"), std::string::npos) << message;
  EXPECT_NE(message.find(a.string()), std::string::npos) << message;
  EXPECT_NE(message.find(b.string()), std::string::npos) << message;
}

TEST_F(Join, RefusesFeaturesThatWereMadeDifferently) {
  const auto a = write("a", sample_features());
  const auto with = [&](auto change) {
    Features f = sample_features();
    change(f.provenance);
    const auto b = write("b", f);
    const std::string message = refusal({a, b});
    EXPECT_NE(message.find(a.string() + " and " + b.string() + " do not belong together"), std::string::npos)
        << message;
    return message;
  };
  EXPECT_NE(with([](Provenance& m) { m.model = "ffff"; }).find("models"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.split = 2; }).find("splits"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.features = {"fc"}; }).find("matrices features and fc"),
            std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.network = "mobilenet_v2"; }).find("networks"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.rule = R"({"stride":"1"})"; }).find("stride"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.exif = true; }).find("EXIF"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.precision = "bf16"; }).find("precisions"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.flip = false; }).find("flip"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.scales = {1}; }).find("scales 1,1.1 and 1"), std::string::npos);
  EXPECT_NE(with([](Provenance& m) { m.dataset = "msmt17"; }).find("msmt17"), std::string::npos);
}

TEST_F(Join, APlainFolderMixesWithADataset) {
  Features query = sample_features(), gallery = sample_features();
  query.sets.erase(SetKind::Gallery);
  query.provenance.dataset = "plain";
  gallery.sets.erase(SetKind::Query);
  EXPECT_EQ(join({write("q", query), write("g", gallery)}).provenance.dataset, "market1501");
}

TEST_F(Join, RefusesFeaturesOfAnotherWidth) {
  Features other = sample_features(3, 5, 6);
  other.sets[SetKind::Gallery].root = "elsewhere";
  other.sets.erase(SetKind::Query);
  const std::string message = refusal({write("a", sample_features()), write("b", other)});
  EXPECT_NE(message.find("4 values"), std::string::npos) << message;
}

}  // namespace
