// Which kind of camera took an image, for networks that have a stem for each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace tyto::apps {

enum class Modality { Any, Visible, Thermal };  // Any: of a network that makes no difference
std::string_view name_of(Modality);             // "visible", "thermal": the networks' option `modality`

// Reads an image's modality off its camera or path. Where only one modality is described, all other images
// are of the other.
class ModalityRule {
 public:
  // Each text is a camera's number, or a folder, or a file: the images below it, also those of folders that
  // are links. Error{Usage} names what is neither.
  static ModalityRule of(const std::vector<std::string>& visible, const std::vector<std::string>& thermal);

  // A regular expression, see path_expression(), searched for in the path as the user gave it. Its groups are
  // (?<visible>...) and (?<thermal>...), or one of them; the one that takes part says which the image is.
  static ModalityRule pattern(const std::string& expression);

  bool reads_cameras() const;

  // camera: -1 where it is unknown. Error{Usage} names an image of which both or neither is said, or of which
  // only the unknown camera could tell.
  Modality modality(const std::filesystem::path& file, int64_t camera) const;

 private:
  // What is said of one modality.
  struct Description {
    std::set<int64_t> cameras;
    std::vector<std::filesystem::path> folders;  // absolute; with and without links
    int group = 0;                               // of the expression; 0: none
    bool given() const { return !cameras.empty() || !folders.empty() || group != 0; }
  };

  static Description described(const char* option, const std::vector<std::string>& texts);
  bool fits(const Description& description, const std::filesystem::path& file, int64_t camera) const;

  Description visible_, thermal_;
  std::shared_ptr<const re2::RE2> expression_;
  std::string source_;  // "--modality-pattern", "--visible or --thermal"
};

}  // namespace tyto::apps
