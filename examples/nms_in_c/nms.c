/* Non-maximum suppression of an image's boxes in plain C: of two that overlap the better one stays.
 * cc nms.c $(pkg-config --cflags --libs tyto_operators), or CMakeLists.txt beside this file. */
#include <stdio.h>
#include <stdlib.h>
#include <tyto_operators.h>

enum { kBoxes = 3 };

int main(void) {
  const float boxes[kBoxes][4] = {{10, 10, 50, 90}, {12, 8, 52, 88}, {60, 20, 90, 80}};
  const float scores[kBoxes] = {0.7f, 0.9f, 0.6f};
  float detections[kBoxes][6];
  int32_t kept[kBoxes], found;

  tyto_nms_desc nms;
  tyto_nms_defaults(&nms, sizeof nms);
  nms.elements = TYTO_FLOAT;
  nms.batch = 1, nms.classes = 1, nms.count = kBoxes, nms.capacity = kBoxes;
  nms.boxes = boxes, nms.scores = scores;
  nms.detections = detections[0], nms.kept = kept, nms.found = &found;

  char error[256];
  size_t bytes = 0;
  int code = tyto_nms_workspace(&nms, &bytes, error, sizeof error);
  void* workspace = malloc(bytes);
  if (code == TYTO_OPERATORS_OK) code = tyto_nms(&nms, workspace, bytes, NULL, error, sizeof error);
  free(workspace);
  if (code != TYTO_OPERATORS_OK) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  for (int32_t i = 0; i < found; ++i)
    printf("box %d with %.1f at %g, %g\n", (int)kept[i], detections[i][4], detections[i][0],
           detections[i][1]);
  return found == 2 ? 0 : 1;
}
