// Annotations and results that were cut or altered: each is read and judged, or refused in one sentence.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <string>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/matched_detections.h"
#include "apps/detection/voc_annotations.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tyto::apps {
namespace {

const std::string kInstances =
    R"({"images": [{"id": 7, "file_name": "a/one.jpg", "width": 100, "height": 90},
        {"id": 9, "file_name": "b/one.jpg", "width": 100, "height": 90}],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10.5, 50, 50], "area": 2500,
        "iscrowd": 0, "segmentation": [[1, 2, 3, 4, 5, 6]]}, {"id": 2, "image_id": 9, "category_id": 3,
        "bbox": [0, 0, 2e1, 20], "area": 400, "iscrowd": 1}]})";
// As other tools write it.
const std::string kOddInstances =
    R"({"images": [{"id": "7", "width": -1, "license": NaN}, {"id": "9", "file_name": 3}, {"id": "7"}],
        "categories": [{"id": 1.0, "name": null}, {"id": true, "name": "car"}, {"id": 3e0, "name": "car"}],
        "annotations": [{"id": "a", "image_id": "7", "category_id": 1.0, "bbox": [10, -10.5, true, 50], "area": -1,
        "iscrowd": false}, {"id": -2, "image_id": "8", "category_id": 1, "bbox": Infinity}, {"id": 0.0,
        "image_id": "9", "category_id": 3, "bbox": [0, 0, 20, 20], "area": 400, "iscrowd": 0.0}]})";
const std::string kOddResults =
    R"([{"image_id": "7", "category_id": 1.0, "bbox": [10, 10, -50, 50.5], "score": true},
        {"image_id": "9", "category_id": 44, "bbox": [0, 0, 20, 20], "score": 1}])";
const std::string kResults =
    R"([{"image_id": 7, "category_id": 1, "bbox": [10, 10, 50, 50.5], "score": 0.75},
        {"image_id": 9, "category_id": 3, "bbox": [0, 0, 20, 20], "score": 1e-3}])";
const std::string kXml =
    "<?xml version=\"1.0\"?><annotation><size><width>9</width></size><object><name>cat</name><difficult>0"
    "</difficult><bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
    "<object><name>dog &amp; "
    "cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>5</xmax><ymax>6</ymax></bndbox>"
    "</object></annotation>";

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void judge_coco(const TemporaryFolder& folder) {
  const CocoAnnotations a = read_coco_annotations((folder / "truth.json").string());
  const MatchedDetections found = match_to_coco({(folder / "results.json").string()}, a);
  const CocoMetrics m = coco_metrics(static_cast<int64_t>(a.images.size()),
                                     static_cast<int>(a.categories.size()), a.objects, found.boxes);
  EXPECT_TRUE(std::isfinite(m.ap) && m.ap <= 1 && m.ap >= -1) << m.ap;
}

void judge_voc(const TemporaryFolder& folder) {
  const VocAnnotations a = read_voc_annotations(folder / "voc", "");
  const VocMetrics m = voc_metrics(static_cast<int64_t>(a.images.size()),
                                   static_cast<int>(a.categories.size()), a.objects, {}, voc_rule("devkit"));
  EXPECT_TRUE(m.map_area == 0 || m.map_area == -1);
}

// Every other edit puts a digit for a digit, which leaves the form as it was.
std::string altered(std::string bytes, std::mt19937& random) {
  const std::string digits = "0123456789", marks = digits + "-.eE[]{}\",:<>/&;";
  for (uint32_t edits = 1 + random() % 3; edits > 0; --edits) {
    size_t at = random() % bytes.size();
    if (random() % 2) {
      at = bytes.find_first_of(digits, at);
      if (at != std::string::npos) bytes[at] = digits[random() % digits.size()];
    } else {
      bytes[at] = random() % 2 ? marks[random() % marks.size()] : static_cast<char>(random());
    }
  }
  return bytes;
}

TEST(AnnotationsFuzz, CutFilesAreRefused) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "voc/Annotations");
  write(folder / "truth.json", kInstances);
  for (size_t length = 1; length < kResults.size(); ++length) {
    write(folder / "results.json", kResults.substr(0, length));
    EXPECT_FALSE(succeeds_or_explains([&] { judge_coco(folder); })) << length;
  }
  write(folder / "results.json", kResults);
  for (size_t length = 0; length < kInstances.size(); ++length) {
    write(folder / "truth.json", kInstances.substr(0, length));
    EXPECT_FALSE(succeeds_or_explains([&] { judge_coco(folder); })) << length;
  }
  for (size_t length = 0; length < kXml.size(); ++length) {
    write(folder / "voc/Annotations/a.xml", kXml.substr(0, length));
    EXPECT_FALSE(succeeds_or_explains([&] { judge_voc(folder); })) << length;
  }
}

TEST(AnnotationsFuzz, OddSpellingsAreJudged) {
  const TemporaryFolder folder;
  write(folder / "truth.json", kOddInstances);
  write(folder / "results.json", kOddResults);
  EXPECT_TRUE(succeeds_or_explains([&] { judge_coco(folder); }));
}

TEST(AnnotationsFuzz, AlteredFilesAreJudgedOrRefused) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "voc/Annotations");
  std::mt19937 random(11);
  int judged = 0, refused = 0;
  for (int round = 0; round < 700; ++round) {
    write(folder / "truth.json", round % 2 ? altered(kInstances, random) : kInstances);
    write(folder / "results.json", round % 2 ? kResults : altered(kResults, random));
    ++(succeeds_or_explains([&] { judge_coco(folder); }) ? judged : refused);
    write(folder / "truth.json", round % 2 ? altered(kOddInstances, random) : kOddInstances);
    write(folder / "results.json", round % 2 ? kOddResults : altered(kOddResults, random));
    ++(succeeds_or_explains([&] { judge_coco(folder); }) ? judged : refused);
    write(folder / "voc/Annotations/a.xml", altered(kXml, random));
    ++(succeeds_or_explains([&] { judge_voc(folder); }) ? judged : refused);
  }
  EXPECT_GT(judged, 200);
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace tyto::apps
