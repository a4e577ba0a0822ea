// Features for Python and MATLAB, under the names of the re-ID baseline's pytorch_result.mat.
//
//   gallery_f [Ng, d] F32   gallery_label [1, Ng] I64   gallery_cam [1, Ng] I64     and so for query_*,
//   mquery_*
//
// *_f is the first of several matrices, *_f_NAME another: gallery_f_pool.
// In an .npz file numpy reads labels and cameras as [Ng]. Sets that are not there are not written.
#pragma once

#include <filesystem>
#include <string>

#include "apps/reid/features_file.h"

namespace tyto::apps {

enum class ExportFormat { Npz, Mat };

// "npz", "mat"; Error{Usage} lists them.
ExportFormat export_format(const std::string& name);

// Writes through a temporary name; equal Features give equal bytes. Error{Unsupported} where one array passes
// the 2 GiB of a MAT v5 file.
void export_features(const Features& features, ExportFormat format, const std::filesystem::path& path);

}  // namespace tyto::apps
