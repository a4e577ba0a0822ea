// The loop that every command shares which runs images through a network.
#pragma once

#include <utility>
#include <vector>

#include "apps/console.h"
#include "apps/images/batch_run.h"
#include "apps/outputs.h"

namespace tyto::apps {

// A BatchRun to its end: calls on_rows(std::vector<ImageResult<...>>) as results come, and adds what cannot
// be read to `skipped`. Throws Interrupted between batches.
template <class Pipeline, class OnRows>
void run_batches(ImageSource& source, const Preprocessing& rule, Pipeline& pipeline,
                 const BatchOptions& options, bool keep_images, Progress& progress, SkippedInputs& skipped,
                 const OnRows& on_rows) {
  BatchRun<Pipeline> run(source, rule, pipeline, options, keep_images);
  while (auto step = run.next()) {
    for (Skipped& image : step->skipped) skipped.push_back(std::move(image.message));
    const auto done = static_cast<int64_t>(step->skipped.size() + step->rows.size());
    if (!step->rows.empty()) on_rows(std::move(step->rows));
    progress.advance(done);
    check_interrupted();
  }
}

}  // namespace tyto::apps
