/* A camera that looks forward, its features pooled into a grid seen from above, and the way back, in plain C.
 * cc pool.c $(pkg-config --cflags --libs tyto_bev), or CMakeLists.txt beside this file. */
#include <stdio.h>
#include <stdlib.h>
#include <tyto_bev.h>

enum { kBins = 20, kHeight = 4, kWidth = 8, kChannels = 2, kRows = 24, kColumns = 16 };
enum { kPixels = kHeight * kWidth, kPoints = kBins * kPixels, kCells = kRows * kColumns };

static char error[256];

/* Pixels to rays: 100 pixels of focal length, in the middle of 128 x 64. */
static const double intrinsics[9] = {100, 0, 64, 0, 100, 32, 0, 0, 1};
/* The camera's z is the grid's x, its x the grid's -y; it stands 1.5 m above the ground. */
static const double camera_to_grid[16] = {0, 0, 1, 0, -1, 0, 0, 0, 0, -1, 0, 1.5, 0, 0, 0, 1};

static int32_t cell_starts[kCells + 1], cells[kPoints];
static tyto_bev_run runs[kPoints];
static float logits[kBins][kHeight][kWidth], features[kHeight][kWidth][kChannels];
static float map[kRows][kColumns][kChannels], ones[kRows][kColumns][kChannels];
static float logits_gradient[kBins][kHeight][kWidth], features_gradient[kHeight][kWidth][kChannels];

static void* workspace_of(int code, const size_t* bytes) {
  void* const memory = code == TYTO_BEV_OK ? malloc(*bytes) : NULL;
  if (memory != NULL) return memory;
  fprintf(stderr, "%s\n", code == TYTO_BEV_OK ? "no memory" : error);
  exit(1);
}

static void finish(int code, void* workspace) {
  free(workspace);
  if (code == TYTO_BEV_OK) return;
  fprintf(stderr, "%s\n", error);
  exit(1);
}

int main(void) {
  size_t bytes = 0;
  void* memory;

  /* Once a calibration: which points of the camera's frustum fall into which cell. */
  tyto_bev_index_desc index;
  tyto_bev_index_defaults(&index, sizeof index);
  index.elements = TYTO_DOUBLE;
  index.samples = index.cameras = 1;
  index.bins = kBins, index.height = kHeight, index.width = kWidth;
  index.image_height = 64, index.image_width = 128;
  index.intrinsics = intrinsics, index.camera_to_grid = camera_to_grid;
  index.first_depth = 2, index.depth_step = 1;
  index.grid[0] = kRows, index.grid[1] = kColumns, index.grid[2] = 1;
  index.lower[0] = 0, index.lower[1] = -8, index.lower[2] = -10;
  index.step[0] = 1, index.step[1] = 1, index.step[2] = 20;
  index.cell_starts = cell_starts, index.runs = runs, index.cells = cells;
  memory = workspace_of(tyto_bev_index_workspace(&index, &bytes, error, sizeof error), &bytes);
  finish(tyto_bev_index(&index, memory, bytes, NULL, error, sizeof error), memory);

  /* Every pixel sees something 12 m away. */
  for (int row = 0; row < kHeight; ++row)
    for (int column = 0; column < kWidth; ++column) {
      logits[10][row][column] = 8;
      features[row][column][0] = 1, features[row][column][1] = (float)column;
    }

  tyto_bev_pool_desc pool;
  tyto_bev_pool_defaults(&pool, sizeof pool);
  pool.elements = TYTO_FLOAT;
  pool.samples = pool.cameras = 1;
  pool.bins = kBins, pool.height = kHeight, pool.width = kWidth, pool.channels = kChannels;
  pool.rows = kRows, pool.columns = kColumns, pool.levels = 1;
  pool.depth = logits, pool.features = features;
  pool.cell_starts = cell_starts, pool.runs = runs;
  pool.out = map;
  memory = workspace_of(tyto_bev_pool_workspace(&pool, &bytes, error, sizeof error), &bytes);
  finish(tyto_bev_pool(&pool, memory, bytes, NULL, error, sizeof error), memory);

  /* The gradient of the map's sum. */
  for (int row = 0; row < kRows; ++row)
    for (int column = 0; column < kColumns; ++column)
      for (int c = 0; c < kChannels; ++c) ones[row][column][c] = 1;
  tyto_bev_pool_backward_desc back;
  tyto_bev_pool_backward_defaults(&back, sizeof back);
  back.elements = pool.elements;
  back.samples = back.cameras = 1;
  back.bins = kBins, back.height = kHeight, back.width = kWidth, back.channels = kChannels;
  back.rows = kRows, back.columns = kColumns, back.levels = 1;
  back.depth = logits, back.features = features;
  back.cell_starts = cell_starts, back.runs = runs, back.cells = cells;
  back.out_gradient = ones;
  back.depth_gradient = logits_gradient, back.features_gradient = features_gradient;
  memory = workspace_of(tyto_bev_pool_backward_workspace(&back, &bytes, error, sizeof error), &bytes);
  finish(tyto_bev_pool_backward(&back, memory, bytes, NULL, error, sizeof error), memory);

  /* The row where the most was seen; how much came into the grid, said by both directions. */
  int most = 0;
  float sum = 0, largest = 0, slopes = 0;
  for (int row = 0; row < kRows; ++row) {
    float of_row = 0;
    for (int column = 0; column < kColumns; ++column) of_row += map[row][column][0];
    sum += of_row;
    if (of_row > largest) most = row, largest = of_row;
  }
  for (int i = 0; i < kPixels; ++i) slopes += features_gradient[i / kWidth][i % kWidth][0];
  printf("most at %d m, %.3f of %d pixels in the grid, %.3f by the gradient\n", most, sum, kPixels, slopes);
  return most == 12 && sum > 0.9f * kPixels && sum - slopes < 1e-3f && slopes - sum < 1e-3f ? 0 : 1;
}
