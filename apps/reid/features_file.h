// The features file: what `tyto extract` writes and rank, evaluate and merge read.
//
// A safetensors file. Per set S of {query, gallery, multi_query} that is present, n rows sorted by path
// (bytewise):
//   S.NAME [n, d] F32 of every matrix   S.ids [n] I64   S.cameras [n] I64
// and one metadata key "tyto", JSON: how the features were made, and per set its root folder and its paths.
// Version 1 has the one matrix `features`; version 2 says which it has ("features": ["fc", "pool"]).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/shard.h"
#include "tyto/tensor.h"

namespace tyto::apps {

enum class SetKind { Query, Gallery, MultiQuery };
std::string_view name_of(SetKind);  // "query", "gallery", "multi_query"

// A set of images: row i of everything belongs to paths[i].
struct FeatureSet {
  std::string root;                // the folder that the paths start from; empty: the working folder
  std::vector<std::string> paths;  // "0002/0002_c1s1_000451_03.jpg"; UTF-8
  std::vector<int64_t> ids;        // -1: junk or unknown
  std::vector<int64_t> cameras;    // -1: unknown
  std::vector<Tensor> features;    // [n, d] F32 each: of every name in Provenance::features

  int64_t rows() const { return static_cast<int64_t>(paths.size()); }
  const Tensor& matrix() const { return features.front(); }  // where one was chosen, it
  std::filesystem::path file(int64_t row) const;             // root/path, normalised
};

// How features were made. Scores between features of different provenance mean nothing, so such files do not
// join.
struct Provenance {
  std::string model;    // the model's identity, its SHA-256 in hex
  std::string network;  // "ft_net"
  std::string
      rule;  // the network's options and the preprocessing, JSON: the same tensors can be run in several ways
  std::string precision;  // "fp32"
  bool flip = true;       // the mirrored image was added
  std::vector<double> scales = {1};
  bool exif = false;    // photographs were turned as their EXIF data says
  std::string dataset;  // the rule that read ids and cameras off the paths: "market1501", "plain" ...
  std::optional<int64_t> split = {};                 // of a data set that has several: RegDB's 1 to 10
  std::vector<std::string> features = {"features"};  // the names of the matrices, the default first
};

// What differs between two makings, "models 4ab2 and 91c0", or nothing. A plain folder's unknown identities
// mix with those of any dataset.
std::string difference(const Provenance& a, const Provenance& b);

struct Features {
  Provenance provenance;
  std::map<SetKind, FeatureSet> sets;
  std::optional<Shard> shard;  // set if this is a part of a run only

  // Error{Usage} names `origin` and what is missing.
  const FeatureSet& set(SetKind kind, const std::string& origin) const;
};

// Sorts the rows of a set by path, in place.
void sort_by_path(FeatureSet& set);

// Writes through a temporary name; equal Features give equal bytes. Sets are sorted by path first.
// Error{Shape} where a set's parts differ in length, its features are not [n, d] F32 or not as many as their
// names; Error{Format} where a path stands twice; Error{Unsupported} for a path that is not UTF-8 or more
// paths than a safetensors header holds.
void write_features(const std::filesystem::path& path, Features features);

// feature: the one matrix to read, "" the file's first; nothing: all. Error{Format} names the file and what
// is wrong with it, Error{Usage} the matrices that it has.
Features read_features(const std::filesystem::path& path,
                       const std::optional<std::string>& feature = std::nullopt);

// The same without the tensors: no features, ids and cameras.
Features read_features_description(const std::filesystem::path& path);

// Several files as one: sets of one kind are put together and sorted by path; where their root folders differ
// the roots move into the paths. feature: as read_features(). Error{Format} names both files where they were
// made differently, hold other matrices, features of different width or the same image twice, and names the
// missing shards of a set that is not whole.
Features join_features(std::span<const std::filesystem::path> paths,
                       const std::optional<std::string>& feature = std::nullopt);

}  // namespace tyto::apps
