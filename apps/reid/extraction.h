// Folders of images to features.
#pragma once

#include <map>
#include <vector>

#include "apps/images/run_batches.h"
#include "apps/outputs.h"
#include "apps/reid/extraction_journal.h"
#include "apps/reid/features_file.h"
#include "apps/reid/image_folder.h"
#include "apps/reid/modality.h"
#include "tyto/feature_extractor.h"

namespace tyto::apps {

// One for each modality that the images have.
using Extractors = std::map<Modality, FeatureExtractor>;

// Extracts what the journal lacks, in batches of one modality, and appends it there. Throws Interrupted
// between batches.
void extract_folders(const std::vector<ImageFolder>& folders, const Model& model, Extractors& extractors,
                     const BatchOptions& options, ExtractionJournal& journal, SkippedInputs& skipped);

// The folder's rows that the journal has; matrices: what a row holds.
FeatureSet collect(const ImageFolder& folder, const ExtractionJournal& journal,
                   const std::vector<FeatureMatrix>& matrices);

}  // namespace tyto::apps
