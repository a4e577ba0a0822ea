// Folders of images to features.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/images/run_batches.h"
#include "apps/outputs.h"
#include "apps/reid/dataset_names.h"
#include "apps/reid/extraction_journal.h"
#include "apps/reid/features_file.h"
#include "tyto/feature_extractor.h"

namespace tyto::apps {

// The images of one set that this run is to extract.
struct ImageFolder {
  SetKind set;
  std::filesystem::path root;
  std::vector<std::filesystem::path> files;
  std::vector<std::string> names;  // of the files below the root, '/' between parts
  std::vector<ImageLabel> labels;
};

// Lists a folder, keeps this shard's images (by a stable hash of the name) and reads their labels off the
// names; an image whose name does not follow the rule is skipped, and so are videos. Error{File}: see
// list_images_and_videos().
ImageFolder list_folder(SetKind set, const std::filesystem::path& root, const NameRule& rule,
                        const Shard& shard, SkippedInputs& skipped);

// Extracts what the journal lacks, in batches, and appends it there. Throws Interrupted between batches.
void extract_folders(const std::vector<ImageFolder>& folders, const Model& model, FeatureExtractor& extractor,
                     const BatchOptions& options, ExtractionJournal& journal, SkippedInputs& skipped);

// The folder's rows that the journal has; matrices: what a row holds.
FeatureSet collect(const ImageFolder& folder, const ExtractionJournal& journal,
                   const std::vector<FeatureMatrix>& matrices);

}  // namespace tyto::apps
