// Which images an extraction reads: those of a folder, or of a data set's own lists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/outputs.h"
#include "apps/reid/dataset_names.h"
#include "apps/reid/features_file.h"
#include "apps/reid/modality.h"

namespace tyto::apps {

// The images of one set that this run is to extract.
struct ImageFolder {
  SetKind set;
  std::filesystem::path root;
  std::vector<std::filesystem::path> files = {};
  std::vector<std::string> names = {};  // of the files below the root, '/' between parts
  std::vector<ImageLabel> labels = {};
  std::vector<Modality> modalities = {};  // see tell_modalities()
};

// All of these keep only this shard's images (by a stable hash of the name).

// Lists a folder and reads labels off the names; an image whose name does not follow the rule is skipped, and
// so are videos. Error{File}: see list_images_and_videos().
ImageFolder list_folder(SetKind set, const std::filesystem::path& root, const NameRule& rule,
                        const Shard& shard, SkippedInputs& skipped);

// SYSU-MM01 below `root`: all images of the identities in exp/test_id.txt, a line of numbers with commas
// between them; queries are those of the thermal cameras cam3 and cam6, the gallery those of cam1, cam2, cam4
// and cam5. Not every camera has seen every identity; one that none has seen is skipped. Error{File} for a
// missing list or camera, Error{Format} for what is no identity in the list.
std::vector<ImageFolder> list_sysu(const std::filesystem::path& root, const Shard& shard,
                                   SkippedInputs& skipped);

// RegDB below `root`: queries are the lines `path label` of idx/test_visible_SPLIT.txt, the gallery those of
// idx/test_thermal_SPLIT.txt; the visible camera is 1, the thermal one 2. Whether an image is there shows
// when it is read. Error{File} for a missing list, Error{Format} for a line of another form or a path that
// stands twice.
std::vector<ImageFolder> list_regdb(const std::filesystem::path& root, int64_t split, const Shard& shard,
                                    SkippedInputs& skipped);

// By the rule, or Any without one. Error{Usage}: see ModalityRule::modality().
void tell_modalities(std::vector<ImageFolder>& folders, const std::optional<ModalityRule>& rule);

}  // namespace tyto::apps
