// What `tyto detect` is to look at, and what its pictures of it are called.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/outputs.h"

namespace tyto::apps {

struct DetectionInput {
  std::filesystem::path file;
  bool video = false;
  // Of pictures and cut-outs, without extension: the path below the folder that was given, characters that
  // shells or file systems dislike made '_', and no two inputs alike: "b/0412", "vtest", "vtest-2".
  std::string output;

  std::string name() const { return file.string(); }
};

// The images and videos of folders, and files given by name, in the order given; a file given twice counts
// once, and what lies in one of the folders `own`, which the run writes to, not at all. One whose path is not
// UTF-8, which JSON could not hold, is skipped. Error{File}: see list_images_and_videos().
std::vector<DetectionInput> list_inputs(const std::vector<std::string>& arguments,
                                        const std::vector<std::filesystem::path>& own,
                                        SkippedInputs& skipped);

// "vtest_f000120": frame 120 of the video whose output is "vtest".
std::string frame_output(const std::string& video, int64_t frame);

}  // namespace tyto::apps
