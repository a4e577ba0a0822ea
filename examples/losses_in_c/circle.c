/* The circle loss of a batch in plain C, and a step along its gradient.
 * cc circle.c $(pkg-config --cflags --libs tyto_losses) -lm, or CMakeLists.txt beside this file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <tyto_losses.h>

enum { kRows = 8, kWidth = 16 };

int main(void) {
  float features[kRows][kWidth], gradient[kRows][kWidth], value, before = 0;
  int32_t labels[kRows];
  for (int i = 0; i < kRows; ++i) {
    labels[i] = i / 2;
    for (int j = 0; j < kWidth; ++j) features[i][j] = sinf(0.37f * (float)((i + 1) * (j + 1)));
  }

  tyto_circle_loss_desc loss;
  tyto_circle_loss_defaults(&loss, sizeof loss);
  loss.elements = TYTO_FLOAT;
  loss.rows = kRows, loss.width = kWidth;
  loss.features = features, loss.labels = labels;
  loss.value = &value, loss.gradient = gradient;

  char error[256];
  size_t bytes = 0;
  int code = tyto_circle_loss_workspace(&loss, &bytes, error, sizeof error);
  void* workspace = malloc(bytes);
  for (int step = 0; step < 2 && code == TYTO_LOSSES_OK; ++step) {
    before = step == 0 ? 0 : value;
    code = tyto_circle_loss(&loss, workspace, bytes, NULL, error, sizeof error);
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kWidth; ++j) features[i][j] -= 0.01f * gradient[i][j];
  }
  free(workspace);
  if (code != TYTO_LOSSES_OK) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  printf("circle loss %.4f, after a step %.4f\n", before, value);
  return value < before ? 0 : 1;
}
