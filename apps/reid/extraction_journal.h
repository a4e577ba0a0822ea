// What an extraction has finished so far, appended image by image beside the output, so that a run that was
// stopped can go on. It is deleted when the output is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/images/source.h"
#include "apps/journal.h"
#include "apps/reid/features_file.h"

namespace tyto::apps {

struct ExtractedImage {
  ImageSize size;  // of the image
  std::vector<float> feature;
};

class ExtractionJournal {
 public:
  // identity: what the run computes (model, options, folders); width: floats a feature has. With `resume` an
  // existing journal is read up to the first record that is not whole, and Error{Usage} if its identity is
  // another; without, one that holds images is Error{Usage}, lest they be lost. Error{File} where the folder
  // cannot be written.
  ExtractionJournal(std::filesystem::path path, const std::string& identity, int64_t width, bool resume);

  const ExtractedImage* find(SetKind set, const std::string& image) const;  // or nullptr
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }

  void append(SetKind set, const std::string& image, const ExtractedImage& extracted);
  void flush() { file_->flush(); }
  void remove();  // the output is written

 private:
  using Key = std::pair<SetKind, std::string>;

  // Returns at what byte the whole records end; 0 where the file ends within the head: nothing to go on with.
  uint64_t read(const std::filesystem::path& path, const std::string& head);

  int64_t width_;
  std::map<Key, ExtractedImage> rows_;
  std::optional<Journal> file_;
};

}  // namespace tyto::apps
