// What a subcommand of `tyto` is: it registers its options with CLI11 and sets `run`, which main calls after
// parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace tyto::apps {

// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some inputs were skipped, 130/143 interrupted after
// flushing.
inline constexpr int kDone = 0;
inline constexpr int kSkipped = 3;

using Run = std::function<int()>;  // returns an exit code; a tyto::Error becomes one sentence and exit code 1
                                   // (2: Usage)

void add_convert(CLI::App& app, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_bev(CLI::App& app, Run& run);
void add_detect(CLI::App& app, Run& run);
void add_extract(CLI::App& app, Run& run);
void add_evaluate(CLI::App& app, Run& run);
void add_rank(CLI::App& app, Run& run);
void add_run(CLI::App& app, Run& run);
void add_merge(CLI::App& app, Run& run);
void add_info(CLI::App& app, Run& run);
void add_selftest(CLI::App& app, Run& run);

}  // namespace tyto::apps
