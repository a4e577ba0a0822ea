#include "apps/detection/detection_inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "apps/images/list.h"
#include "files/utf8.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

// A folder called like a picture could stand where the picture is to be.
std::string safe_folder_name(const std::string& text) {
  std::string name = safe_file_name(text);
  return name.ends_with(".jpg") || name.ends_with(".mov") ? name + '_' : name;
}

std::string safe_path(const std::filesystem::path& relative) {
  std::filesystem::path out;
  for (const auto& part : relative.parent_path()) out /= safe_folder_name(part.string());
  return (out / safe_file_name(relative.stem().string())).generic_string();
}

// The video whose frame would be called like `output`, or nothing.
std::string as_video_of_a_frame(const std::string& output) {
  size_t digits = output.size();
  while (digits > 0 && std::isdigit(static_cast<unsigned char>(output[digits - 1]))) --digits;
  if (digits == output.size() || !output.substr(0, digits).ends_with("_f")) return {};
  return output.substr(0, digits - 2);
}

// Gives every input an output of its own. Videos come first, so that no image takes the name of a frame.
void name_outputs(std::vector<DetectionInput>& inputs, const std::vector<std::filesystem::path>& relative) {
  std::unordered_set<std::string> taken, videos;
  for (const bool video : {true, false})
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].video != video) continue;
      const std::string wanted = safe_path(relative[i]);
      std::string output = wanted;
      for (int n = 2; taken.contains(output) || videos.contains(as_video_of_a_frame(output)); ++n)
        output = fmt::format("{}-{}", wanted, n);
      taken.insert(output);
      if (video) videos.insert(output);
      inputs[i].output = output;
    }
}

bool lies_in(const std::filesystem::path& folder, const std::filesystem::path& file) {
  const auto plain = [](const std::filesystem::path& path) {
    return std::filesystem::absolute(path).lexically_normal();
  };
  const std::filesystem::path relative = plain(file).lexically_relative(plain(folder));
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

std::string frame_output(const std::string& video, int64_t frame) {
  return fmt::format("{}_f{:06}", video, frame);
}

std::vector<DetectionInput> list_inputs(const std::vector<std::string>& arguments,
                                        const std::vector<std::filesystem::path>& own,
                                        SkippedInputs& skipped) {
  std::vector<DetectionInput> inputs;
  std::vector<std::filesystem::path> relative;
  std::unordered_set<std::string> seen;
  for (const std::filesystem::path root : arguments) {
    const std::filesystem::path folder = std::filesystem::is_directory(root) ? root : root.parent_path();
    for (const std::filesystem::path& file : list_images_and_videos(root)) {
      const bool is_own =
          std::ranges::any_of(own, [&](const auto& folder_of_own) { return lies_in(folder_of_own, file); });
      if (is_own || !seen.insert(file.string()).second) continue;
      if (!is_utf8(file.string())) {
        skipped.push_back(fmt::format("{}: its name is not UTF-8; rename it", file.string()));
        continue;
      }
      inputs.push_back({file, is_video_name(file), {}});
      relative.push_back(file.lexically_relative(folder.empty() ? "." : folder));
    }
  }
  if (inputs.empty() && skipped.empty())
    throw Error(ErrorKind::File, fmt::format("{}: holds no images but those that this command writes",
                                             fmt::join(arguments, ", ")));
  name_outputs(inputs, relative);
  return inputs;
}

}  // namespace tyto::apps
