// A thread owns a block of queries and walks the keys of all sets in tiles, with a running maximum and sum of
// each query: scores, e^x and their product with the values while the tile is in its cache. Both products are
// blocked_product's; keys and values are read where they stand.
#include <omp.h>

#include <algorithm>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_blocks_cpu.h"
#include "kernels/attention/position_attention.h"
#include "kernels/common/blocked_product.h"

namespace tyto::kernels {
namespace {

// Of one thread, in its scratch.
struct Block {
  float *maximum, *sum, *rescale;  // [kQueryBlock]
  float* queries;                  // packed
  float* scores;                   // [kKeyBlock, kQueryBlock]
  float* values;                   // [kKeyBlock, kProductPanel]
  float* y;                        // [kQueryBlock, width]

  Block(const AttentionOf<float>& of, Arrays& arrays)
      : maximum(arrays.take(kQueryBlock)),
        sum(arrays.take(kQueryBlock)),
        rescale(arrays.take(kQueryBlock)),
        queries(arrays.take(packed_elements(of.depth, kQueryBlock))),
        scores(arrays.take(kKeyBlock * kQueryBlock)),
        values(arrays.take(kKeyBlock * kProductPanel)),
        y(arrays.take(kQueryBlock * of.width)) {}
};

int64_t block_floats(const AttentionOf<float>& of) {
  Arrays arrays(nullptr);
  Block(of, arrays);
  return arrays.floats();
}

// Leaves maximum, sum and, for them to be divided by it, the sums of y.
void attend(const AttentionOf<float>& of, const QueryBlock& queries, const Block& block) {
  std::fill_n(block.maximum, kQueryBlock, -std::numeric_limits<float>::infinity());
  std::fill_n(block.sum, kQueryBlock, 0.0f);
  pack_queries(of, queries, block.queries);
  bool first_tile = true;
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<float>& set = of.sets[static_cast<size_t>(s)];
    const Parts tiles = key_parts(set.keys);
    for (int64_t tile = 0; tile < tiles.parts; ++tile) {
      const int64_t first = tiles.begin(tile), keys = tiles.length(tile);
      const MapTile scores = {block.scores, keys, queries.count, kQueryBlock};
      score_tile(of, set, queries, block.queries, first, scores);
      softmax_tile(scores, block.maximum, block.sum, block.rescale);
      for (int64_t q = 0; !first_tile && q < queries.count; ++q)
        if (const float by = block.rescale[q]; by != 1)
          for (int64_t c = 0; c < of.width; ++c) block.y[q * of.width + c] *= by;
      const float* v = set.v.data + (queries.b * set.keys + first) * set.v.stride + queries.head * of.width;
      for (int64_t c = 0; c < of.width; c += kProductPanel) {
        const int64_t columns = std::min(kProductPanel, of.width - c);
        // What is no whole vector is copied, lest more than the last value is read.
        const bool whole = columns % kAttentionLanes == 0;
        if (!whole) pack_rows(v + c, set.v.stride, keys, columns, 1, block.values);
        blocked_product({.rows = queries.count,
                         .columns = columns,
                         .depth = keys,
                         .a = block.scores,
                         .a_row = 1,
                         .a_column = kQueryBlock,
                         .b = whole ? v + c : block.values,
                         .b_row = whole ? set.v.stride : kProductPanel,
                         .c = block.y + c,
                         .c_row = of.width,
                         .accumulate = !first_tile});
      }
      first_tile = false;
    }
  }
  if (first_tile) std::fill_n(block.y, queries.count * of.width, 0.0f);
}

// Calls finish(block of queries, its Block) for all of them.
template <class Finish>
void attend_all(const AttentionOf<float>& of, const RowStatistics& statistics, float* scratch,
                const Finish& finish) {
  const Parts parts = query_parts(of.queries);
  const int64_t blocks = of.batch * of.heads * parts.parts;
  const int64_t each = block_floats(of);
  // Small enough that a thread which is held up leaves its share to the others.
  const int64_t chunk = std::max<int64_t>(1, blocks / (16 * omp_get_max_threads()));
#pragma omp parallel if (blocks > 1)
  {
    Arrays own(aligned(scratch) + omp_get_thread_num() * each);
    const Block block(of, own);
#pragma omp for schedule(dynamic, chunk)
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t part = i % parts.parts, item = i / parts.parts;
      const QueryBlock queries = {item / of.heads, item % of.heads, parts.begin(part), parts.length(part)};
      attend(of, queries, block);
      const int64_t row = item * of.queries + queries.first;
      if (statistics.maximum) std::copy_n(block.maximum, queries.count, statistics.maximum + row);
      if (statistics.sum) std::copy_n(block.sum, queries.count, statistics.sum + row);
      finish(queries, block);
    }
  }
}

// 0 for a query that attends to nothing.
float share(float sum) { return sum == 0 ? 0 : 1 / sum; }

}  // namespace

int64_t attention_scratch_floats(const AttentionOf<float>& of, int threads) {
  return threads * block_floats(of) + kAttentionLanes;
}

void attention_cpu(const AttentionOf<float>& of, Tokens<float> y, const RowStatistics& statistics,
                   float* scratch) {
  attend_all(of, statistics, scratch, [&](const QueryBlock& queries, const Block& block) {
    for (int64_t q = 0; q < queries.count; ++q) {
      const float by = share(block.sum[q]);
      float* to = y.data + (queries.b * of.queries + queries.first + q) * y.stride + queries.head * of.width;
      for (int64_t c = 0; c < of.width; ++c) to[c] = by * block.y[q * of.width + c];
    }
  });
}

int64_t position_attention_scratch_floats(const PositionAttentionOf<float>& of, int threads) {
  return attention_scratch_floats(attention_of(of), threads);
}

void position_attention_cpu(const PositionAttentionOf<float>& of, float* y, const RowStatistics& statistics,
                            float* scratch) {
  const float gamma = *of.gamma;
  attend_all(attention_of(of), statistics, scratch, [&](const QueryBlock& queries, const Block& block) {
    for (int64_t q = 0; q < queries.count; ++q) {
      const float by = share(block.sum[q]);
      const int64_t at = (queries.b * of.positions + queries.first + q) * of.channels;
      for (int64_t c = 0; c < of.channels; ++c)
        y[at + c] = gamma * (by * block.y[q * of.channels + c]) + of.x[at + c];
    }
  });
}

}  // namespace tyto::kernels
