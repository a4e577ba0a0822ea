// Which images `tyto extract` reads, and how identity, camera and modality are told of each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/commands/resumable_options.h"
#include "apps/reid/image_folder.h"

namespace tyto::apps {

// The option of networks across visible and thermal cameras that names whose layers run.
inline constexpr const char* kModalityOption = "modality";
bool has_two_stems(const Model& model);

struct ExtractionInputs {
  std::string gallery, query, multi_query, root, name_pattern, modality_pattern, shard;
  std::string dataset = "plain";
  std::optional<int64_t> split;
  std::vector<std::string> visible, thermal;
};

void add_extraction_inputs(ResumableOptions& options, ExtractionInputs& inputs);

// Error{Usage} for options that contradict each other.
void check(const ExtractionInputs& inputs);

// All of these expect inputs that passed check().
NameRule name_rule(const ExtractionInputs& inputs);

// Nothing for a network that treats all images alike. Error{Usage} if it does not and nothing tells
// modalities, or if it does and something tells them.
std::optional<ModalityRule> modality_rule(const ExtractionInputs& inputs, const Model& model);

// Errors: see list_folder(), list_sysu(), list_regdb() and tell_modalities().
std::vector<ImageFolder> list_folders(const ExtractionInputs& inputs,
                                      const std::optional<ModalityRule>& modalities, SkippedInputs& skipped);

// What decides features beside the deciding options: how cameras are read, where they tell modalities.
std::string identity(const ExtractionInputs& inputs, const std::optional<ModalityRule>& modalities);

}  // namespace tyto::apps
