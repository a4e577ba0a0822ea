#include "apps/reid/extraction.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "apps/console.h"
#include "apps/images/list.h"
#include "apps/images/run_batches.h"
#include "apps/reid/stable_hash.h"
#include "files/utf8.h"

namespace tyto::apps {

ImageFolder list_folder(SetKind set, const std::filesystem::path& root, const NameRule& rule,
                        const Shard& shard, SkippedInputs& skipped) {
  ImageFolder folder{set, std::filesystem::is_directory(root) ? root : root.parent_path(), {}, {}, {}};
  for (const std::filesystem::path& file : list_images_and_videos(root)) {
    const std::string name =
        file.lexically_relative(folder.root.empty() ? "." : folder.root).generic_string();
    if (stable_hash(name) % static_cast<uint64_t>(shard.count) != static_cast<uint64_t>(shard.index))
      continue;
    try {
      if (is_video_name(file))
        throw Error(ErrorKind::Format,
                    fmt::format("{}: a video; `tyto detect --crops` cuts images out of it", file.string()));
      if (!is_utf8(name))
        throw Error(ErrorKind::Format, fmt::format("{}: its name is not UTF-8; rename it", file.string()));
      folder.labels.push_back(rule.label(name));
      folder.files.push_back(file);
      folder.names.push_back(name);
    } catch (const Error& e) {
      skipped.push_back(e.what());
    }
  }
  return folder;
}

void extract_folders(const std::vector<ImageFolder>& folders, const Model& model, FeatureExtractor& extractor,
                     const BatchOptions& options, ExtractionJournal& journal, SkippedInputs& skipped) {
  int64_t total = 0;
  for (const ImageFolder& f : folders) total += static_cast<int64_t>(f.files.size());
  Progress progress("extracting", total - journal.size());
  const Preprocessing rule = preprocessing_from_json(model.image_input().preprocessing);

  for (const ImageFolder& folder : folders) {
    std::vector<std::optional<ImageSize>> done_before;
    for (const std::string& name : folder.names) {
      const ExtractedImage* const extracted = journal.find(folder.set, name);
      done_before.push_back(extracted ? std::optional(extracted->size) : std::nullopt);
    }
    FileSource source(folder.files, options.apply_exif_orientation, std::move(done_before));
    run_batches(source, rule, extractor, options, false, progress, skipped,
                [&](std::vector<ImageResult<std::vector<float>>> images) {
                  for (ImageResult<std::vector<float>>& image : images)
                    journal.append(folder.set, folder.names[static_cast<size_t>(image.index)],
                                   {{image.image.width, image.image.height}, std::move(image.row)});
                  journal.flush();
                });
  }
}

FeatureSet collect(const ImageFolder& folder, const ExtractionJournal& journal,
                   const std::vector<FeatureMatrix>& matrices) {
  FeatureSet set;
  set.root = folder.root.string();
  std::vector<const float*> rows;
  for (size_t i = 0; i < folder.names.size(); ++i) {
    const ExtractedImage* const extracted = journal.find(folder.set, folder.names[i]);
    if (!extracted) continue;
    rows.push_back(extracted->feature.data());
    set.paths.push_back(folder.names[i]);
    set.ids.push_back(folder.labels[i].id);
    set.cameras.push_back(folder.labels[i].camera);
  }
  int64_t begin = 0;
  for (const FeatureMatrix& matrix : matrices) {
    float* to = set.features.emplace_back(DType::F32, Shape{set.rows(), matrix.width}).as<float>().data();
    for (const float* row : rows) to = std::copy_n(row + begin, matrix.width, to);
    begin += matrix.width;
  }
  return set;
}

}  // namespace tyto::apps
