// A strip of the map, all keys of some queries, is made again and stays in a cache with the gradients of its
// probabilities: so every product is made once, five in all, and a row's D = sum of P dP comes from the strip
// itself. Threads share a strip's tiles and wait for each other, or each has heads of its own; the owner of a
// tile walks all strips in order and adds up its keys' gradients, so that bits are the same either way.
#include <omp.h>

#include <algorithm>
#include <numeric>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_blocks_cpu.h"
#include "kernels/attention/position_attention.h"
#include "kernels/common/blocked_product.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kTileKeys = 48;  // at most
// Of a thread: 4 MiB. A strip has fewer queries where it would need more, but never less than 16.
constexpr int64_t kScratchFloats = (int64_t{1} << 20) - kAttentionLanes;
// Products of one kind in a strip, from which on threads share it: a tenth of a millisecond, many times a
// barrier.
constexpr int64_t kWorthWaiting = int64_t{1} << 21;

// Keys of one set, and where they stand in a strip.
struct Tile {
  size_t set;
  int64_t first, keys, row;
};

// Calls body(index, tile) for the tiles of all sets.
template <class Body>
void for_each_tile(const AttentionOf<float>& of, const Body& body) {
  int64_t index = 0, row = 0;
  for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
    const Parts tiles(of.sets[s].keys, kTileKeys, 12);
    for (int64_t t = 0; t < tiles.parts; ++t)
      body(index++, Tile{s, tiles.begin(t), tiles.length(t), row + tiles.begin(t)});
    row += of.sets[s].keys;
  }
}

// How the map is cut, and what a thread needs for it.
struct Cut {
  int64_t tiles = 0, keys = 0;
  int64_t queries = kQueryBlock;  // of a strip, at most; the stride of its tiles

  explicit Cut(const AttentionOf<float>& of) {
    for_each_tile(of, [&](int64_t, const Tile& tile) {
      ++tiles;
      keys += tile.keys;
    });
    while (queries > kAttentionLanes && floats(of) > kScratchFloats) queries -= kAttentionLanes;
  }
  int64_t floats(const AttentionOf<float>& of) const;
};

// Of one thread, or of all where they share it.
struct Strip {
  float* probabilities;  // [keys, queries]
  float* gradients;      // [keys, queries], of the probabilities, then of the scores
  float* dots;           // [tiles, queries], each tile's part of D

  Strip(const Cut& cut, Arrays& arrays)
      : probabilities(arrays.take(cut.keys * cut.queries)),
        gradients(arrays.take(cut.keys * cut.queries)),
        dots(arrays.take(cut.tiles * cut.queries)) {}
};

// Of one thread: a strip's queries and their gradients of y, packed for the products.
struct Packed {
  float *q_columns, *q_rows;     // times scale
  float *y_columns, *y_rows;     // rows times factor
  float *maximum, *share, *dot;  // [queries]
  float* keys;                   // a tile's, times scale
  float* q_gradient;             // [queries, depth]

  Packed(const AttentionOf<float>& of, const Cut& cut, Arrays& arrays)
      : q_columns(arrays.take(packed_elements(of.depth, cut.queries))),
        q_rows(arrays.take(packed_elements(cut.queries, of.depth))),
        y_columns(arrays.take(packed_elements(of.width, cut.queries))),
        y_rows(arrays.take(packed_elements(cut.queries, of.width))),
        maximum(arrays.take(cut.queries)),
        share(arrays.take(cut.queries)),
        dot(arrays.take(cut.queries)),
        keys(arrays.take(packed_elements(kTileKeys, of.depth))),
        q_gradient(arrays.take(cut.queries * of.depth)) {}
};

int64_t Cut::floats(const AttentionOf<float>& of) const {
  Arrays arrays(nullptr);
  Strip(*this, arrays);
  Packed(of, *this, arrays);
  return arrays.floats();
}

struct Backward {
  const AttentionOf<float>& of;
  const RowStatistics& statistics;
  Tokens<const float> y;  // its gradient
  const AttentionGradients<float>& gradients;
  float factor;  // of y before it was returned
  float* dots;   // [batch, heads, queries], each row's D without factor; or null
  Cut cut;
};

// The threads that work on one head together.
struct Team {
  int64_t member, members;

  void wait() const {
    if (members > 1) {
#pragma omp barrier
    }
  }
  bool owns(int64_t index) const { return index % members == member; }
};

template <class T>
T* row_of(const Tokens<T>& tokens, int64_t row, int64_t column) {
  return tokens.data ? tokens.data + row * tokens.stride + column : nullptr;
}

void pack(const Backward& w, const QueryBlock& block, const Packed& packed) {
  const AttentionOf<float>& of = w.of;
  const int64_t row = block.b * of.queries + block.first;
  const float *q = row_of(of.q, row, block.head * of.depth), *y = row_of(w.y, row, block.head * of.width);
  pack_queries(of, block, packed.q_columns);
  pack_rows(q, of.q.stride, block.count, of.depth, of.scale, packed.q_rows);
  pack_columns(y, w.y.stride, of.width, block.count, 1, packed.y_columns);
  pack_rows(y, w.y.stride, block.count, of.width, w.factor, packed.y_rows);
  const int64_t at = (block.b * of.heads + block.head) * of.queries + block.first;
  for (int64_t i = 0; i < w.cut.queries; ++i) {
    const float sum = i < block.count ? w.statistics.sum[at + i] : 0;
    packed.maximum[i] = i < block.count ? w.statistics.maximum[at + i] : 0;
    packed.share[i] = sum == 0 ? 0 : 1 / sum;
  }
}

// P, dP and the tile's part of D.
void probabilities_of(const Backward& w, const QueryBlock& block, const Packed& packed, const Tile& tile,
                      const MapTile& map, float* gradients, float* dot) {
  const KeySet<float>& set = w.of.sets[tile.set];
  score_tile(w.of, set, block, packed.q_columns, tile.first, map);
  blocked_product({.rows = tile.keys,
                   .columns = whole_lanes(block.count),
                   .depth = w.of.width,
                   .a = row_of(set.v, block.b * set.keys + tile.first, block.head * w.of.width),
                   .a_row = set.v.stride,
                   .b = packed.y_columns,
                   .b_panel = w.of.width * kProductPanel,
                   .c = gradients,
                   .c_row = map.stride});
  probability_tile(map, gradients, packed.maximum, packed.share, dot);
}

void add_bias_gradient(const Backward& w, const QueryBlock& block, const Tile& tile, const MapTile& map,
                       float* bias) {
  const KeySet<float>& set = w.of.sets[tile.set];
  const int64_t matrix = block.b % set.bias.batch * set.bias.heads + (set.bias.heads == 1 ? 0 : block.head);
  bias += (matrix * w.of.queries + block.first) * set.keys + tile.first;
  for (int64_t q = 0; q < block.count; ++q)
    for (int64_t k = 0; k < tile.keys; ++k) bias[q * set.keys + k] += map.data[k * map.stride + q];
}

// The tile's keys and values: what the strip's queries add to their gradients.
void add_key_gradients(const Backward& w, const QueryBlock& block, const Packed& packed, const Tile& tile,
                       const MapTile& map, float* gradients) {
  const KeySet<float>& set = w.of.sets[tile.set];
  const auto& to = w.gradients.sets[tile.set];
  const int64_t row = block.b * set.keys + tile.first;
  const auto add = [&](const float* a, const float* b, int64_t columns, float* c, int64_t c_row) {
    if (c)
      blocked_product({.rows = tile.keys,
                       .columns = columns,
                       .depth = block.count,
                       .a = a,
                       .a_row = map.stride,
                       .b = b,
                       .b_panel = block.count * kProductPanel,
                       .c = c,
                       .c_row = c_row,
                       .accumulate = block.first > 0});
  };
  add(map.data, packed.y_rows, w.of.width, row_of(to.v, row, block.head * w.of.width), to.v.stride);
  score_gradient_tile(map, gradients, packed.dot, w.factor);
  add(gradients, packed.q_rows, w.of.depth, row_of(to.k, row, block.head * w.of.depth), to.k.stride);
  if (to.bias) add_bias_gradient(w, block, tile, {gradients, map.keys, map.queries, map.stride}, to.bias);
}

// Of the member's share of the strip's queries.
void query_gradients(const Backward& w, const QueryBlock& block, const Packed& packed, const float* gradients,
                     const Team& team) {
  const AttentionOf<float>& of = w.of;
  const Parts parts(block.count, (block.count + team.members - 1) / team.members, 12);
  if (!w.gradients.q.data || team.member >= parts.parts) return;
  const int64_t begin = parts.begin(team.member), count = parts.length(team.member);
  for_each_tile(of, [&](int64_t index, const Tile& tile) {
    const KeySet<float>& set = of.sets[tile.set];
    const float* k = row_of(set.k, block.b * set.keys + tile.first, block.head * of.depth);
    pack_rows(k, set.k.stride, tile.keys, of.depth, of.scale, packed.keys);
    blocked_product({.rows = count,
                     .columns = of.depth,
                     .depth = tile.keys,
                     .a = gradients + tile.row * w.cut.queries + begin,
                     .a_row = 1,
                     .a_column = w.cut.queries,
                     .b = packed.keys,
                     .b_panel = tile.keys * kProductPanel,
                     .c = packed.q_gradient,
                     .c_row = of.depth,
                     .accumulate = index > 0});
  });
  if (w.cut.tiles == 0) std::fill_n(packed.q_gradient, count * of.depth, 0.0f);
  for (int64_t i = 0; i < count; ++i)
    std::copy_n(packed.q_gradient + i * of.depth, of.depth,
                row_of(w.gradients.q, block.b * of.queries + block.first + begin + i, block.head * of.depth));
}

void clear_key_gradients(const Backward& w, int64_t b, int64_t head, const Tile& tile) {
  const auto clear = [&](const Tokens<float>& tokens, int64_t size) {
    for (int64_t k = 0; tokens.data && k < tile.keys; ++k)
      std::fill_n(row_of(tokens, b * w.of.sets[tile.set].keys + tile.first + k, head * size), size, 0.0f);
  };
  clear(w.gradients.sets[tile.set].k, w.of.depth);
  clear(w.gradients.sets[tile.set].v, w.of.width);
}

void backward_of_head(const Backward& w, int64_t b, int64_t head, const Strip& strip, const Packed& packed,
                      const Team& team) {
  const auto for_each_own_tile = [&](const auto& body) {
    for_each_tile(w.of, [&](int64_t index, const Tile& tile) {
      if (team.owns(index)) body(index, tile);
    });
  };
  if (w.of.queries == 0)
    for_each_own_tile([&](int64_t, const Tile& tile) { clear_key_gradients(w, b, head, tile); });
  const Parts parts = query_parts(w.of.queries, w.cut.queries);
  for (int64_t part = 0; part < parts.parts; ++part) {
    const QueryBlock block = {b, head, parts.begin(part), parts.length(part)};
    const auto map_of = [&](const Tile& tile) {
      return MapTile{strip.probabilities + tile.row * w.cut.queries, tile.keys, block.count, w.cut.queries};
    };
    pack(w, block, packed);
    for_each_own_tile([&](int64_t index, const Tile& tile) {
      probabilities_of(w, block, packed, tile, map_of(tile), strip.gradients + tile.row * w.cut.queries,
                       strip.dots + index * w.cut.queries);
    });
    team.wait();
    std::fill_n(packed.dot, w.cut.queries, 0.0f);
    for (int64_t t = 0; t < w.cut.tiles; ++t)
      for (int64_t q = 0; q < whole_lanes(block.count); ++q)
        packed.dot[q] += strip.dots[t * w.cut.queries + q];
    if (w.dots && team.member == 0)
      std::copy_n(packed.dot, block.count, w.dots + (b * w.of.heads + head) * w.of.queries + block.first);
    for_each_own_tile([&](int64_t, const Tile& tile) {
      add_key_gradients(w, block, packed, tile, map_of(tile), strip.gradients + tile.row * w.cut.queries);
    });
    team.wait();
    query_gradients(w, block, packed, strip.gradients, team);
    team.wait();
  }
}

// Heads that add to one gradient of a bias, in this order: items of the batch and heads that are equal modulo
// these.
struct Groups {
  int64_t batch, heads;

  explicit Groups(const Backward& w) : batch(w.of.batch), heads(w.of.heads) {
    for (size_t s = 0; s < static_cast<size_t>(w.of.key_sets); ++s)
      if (w.gradients.sets[s].bias) {
        batch = std::gcd(batch, w.of.sets[s].bias.batch);
        if (w.of.sets[s].bias.heads == 1) heads = 1;
      }
  }
};

void clear_bias_gradients(const Backward& w) {
  for (size_t s = 0; s < static_cast<size_t>(w.of.key_sets); ++s) {
    const KeySet<float>& set = w.of.sets[s];
    if (float* bias = w.gradients.sets[s].bias)
      std::fill_n(bias, set.bias.batch * set.bias.heads * w.of.queries * set.keys, 0.0f);
  }
}

void backward(const Backward& w, float* scratch) {
  clear_bias_gradients(w);
  const Groups groups(w);
  const int64_t count = w.of.batch == 0 ? 0 : groups.batch * groups.heads;
  const int64_t each = w.cut.floats(w.of);
  scratch = aligned(scratch);
#pragma omp parallel
  {
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    Arrays own(scratch + thread * each), first(scratch);
    const Strip own_strip(w.cut, own), first_strip(w.cut, first);
    const Packed packed(w.of, w.cut, own);
    const auto work = [&](int64_t group, const Strip& strip, const Team& team) {
      for (int64_t b = group / groups.heads; b < w.of.batch; b += groups.batch)
        for (int64_t head = group % groups.heads; head < w.of.heads; head += groups.heads)
          backward_of_head(w, b, head, strip, packed, team);
    };
    // Whichever leaves fewer threads without work; to wait for each other, a strip must be worth it.
    const bool small = w.cut.keys * w.cut.queries * (w.of.depth + w.of.width) < kWorthWaiting;
    const int64_t together = small ? 1 : std::min(threads, w.cut.tiles);
    if ((count + threads - 1) / threads * together <= count) {
#pragma omp for schedule(dynamic)
      for (int64_t group = 0; group < count; ++group) work(group, own_strip, {0, 1});
    } else {
      for (int64_t group = 0; group < count; ++group) work(group, first_strip, {thread, threads});
    }
  }
}

}  // namespace

int64_t attention_backward_scratch_floats(const AttentionOf<float>& of, int threads) {
  return threads * Cut(of).floats(of) + kAttentionLanes;
}

void attention_backward_cpu(const AttentionOf<float>& of, const RowStatistics& statistics,
                            Tokens<const float> y_gradient, const AttentionGradients<float>& gradients,
                            float* workspace) {
  backward({of, statistics, y_gradient, gradients, 1, nullptr, Cut(of)}, workspace);
}

int64_t position_attention_backward_scratch_floats(const PositionAttentionOf<float>& p, int threads) {
  return attention_backward_scratch_floats(attention_of(p), threads) + p.batch * p.positions;
}

void position_attention_backward_cpu(const PositionAttentionOf<float>& p, const RowStatistics& statistics,
                                     const float* y_gradient, const PositionAttentionGradients<float>& to,
                                     float* scratch) {
  const AttentionOf<float> of = attention_of(p);
  AttentionGradients<float> gradients = {.q = {to.q, p.depth}};
  gradients.sets[0] = {.k = {to.k, p.depth}, .v = {to.v, p.channels}};
  const int64_t rows = p.batch * p.positions;
  float* dots = scratch;
  backward({of, statistics, {y_gradient, p.channels}, gradients, *p.gamma, dots, Cut(of)}, scratch + rows);
  // A row's D is what attention made of it times the gradient.
  if (to.gamma) *to.gamma = static_cast<float>(std::accumulate(dots, dots + rows, 0.0));
  if (to.x && to.x != y_gradient) std::copy_n(y_gradient, rows * p.channels, to.x);
}

}  // namespace tyto::kernels
