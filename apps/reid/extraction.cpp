#include "apps/reid/extraction.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "apps/console.h"
#include "apps/images/run_batches.h"

namespace tyto::apps {
namespace {

std::vector<size_t> rows_of(const ImageFolder& folder, Modality modality) {
  std::vector<size_t> rows;
  for (size_t i = 0; i < folder.files.size(); ++i)
    if (folder.modalities[i] == modality) rows.push_back(i);
  return rows;
}

}  // namespace

void extract_folders(const std::vector<ImageFolder>& folders, const Model& model, Extractors& extractors,
                     const BatchOptions& options, ExtractionJournal& journal, SkippedInputs& skipped) {
  int64_t total = 0;
  for (const ImageFolder& f : folders) total += static_cast<int64_t>(f.files.size());
  Progress progress("extracting", total - journal.size());
  const Preprocessing rule = preprocessing_from_json(model.image_input().preprocessing);

  for (const ImageFolder& folder : folders)
    for (auto& [modality, extractor] : extractors) {
      const std::vector<size_t> rows = rows_of(folder, modality);
      std::vector<std::filesystem::path> files;
      std::vector<std::optional<ImageSize>> done_before;
      for (const size_t row : rows) {
        files.push_back(folder.files[row]);
        const ExtractedImage* const extracted = journal.find(folder.set, folder.names[row]);
        done_before.push_back(extracted ? std::optional(extracted->size) : std::nullopt);
      }
      FileSource source(std::move(files), options.apply_exif_orientation, std::move(done_before));
      run_batches(source, rule, extractor, options, false, progress, skipped,
                  [&](std::vector<ImageResult<std::vector<float>>> images) {
                    for (ImageResult<std::vector<float>>& image : images)
                      journal.append(folder.set, folder.names[rows[static_cast<size_t>(image.index)]],
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
