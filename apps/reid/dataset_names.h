// Identity and camera, read off an image's path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace re2 {
class RE2;
}

namespace tyto::apps {

struct ImageLabel {
  int64_t id = -1;      // -1: junk or unknown
  int64_t camera = -1;  // -1: unknown
  bool operator==(const ImageLabel&) const = default;
};

// How a dataset names its files. Folders before the file name do not matter to the named datasets but sysu,
// so the folder-per-identity layout of the baseline's prepare.py reads as well as the original one.
class NameRule {
 public:
  // market1501  0002_c1s1_000451_03.jpg                   -1_... is junk, 0000_... a distractor
  // dukemtmc    0005_c2_f0046985.jpg
  // msmt17      0000_000_01_0303morning_0015_0.jpg        camera: third field
  // veri        0002_c002_00030600_0.jpg
  // sysu        cam3/0006/0001.jpg                        of the whole path
  // regdb       any name: labels are in its lists, see list_regdb()
  // plain       any name: no labels
  // Error{Usage} lists these names.
  static NameRule dataset(const std::string& name);

  // A regular expression (RE2's syntax: no back-references, no lookaround; time is linear in the path)
  // searched for in the path below the given folder. Groups (?<id>...) and (?<camera>...), else the first and
  // the second group, hold whole numbers. Error{Usage} says what is wrong with the expression.
  static NameRule pattern(const std::string& expression);

  static std::vector<std::string> datasets();

  const std::string& name() const { return name_; }  // "market1501"; "pattern (?<id>\d+)_" for an expression
  bool labels() const { return labelled_; }          // false for plain and regdb

  // `path` below the folder `root`, with '/' between its parts. Error{Format} names the path and the rule
  // that it does not follow.
  ImageLabel label(const std::string& path, const std::filesystem::path& root = {}) const;

 private:
  enum class Part { FileName, BelowRoot, Whole };  // of the path

  NameRule() = default;
  void find_groups();

  std::string name_, example_;
  std::shared_ptr<const re2::RE2> expression_;
  int id_group_ = 0, camera_group_ = 0;  // 0: none
  bool labelled_ = true;
  Part part_ = Part::FileName;
};

}  // namespace tyto::apps
