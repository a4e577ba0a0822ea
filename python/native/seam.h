// The seam between the Python package and tyto: C functions that ctypes calls, private to the two and of one
// version. What they promise is that no argument crashes the caller: objects are known by numbers, never by
// addresses, and one that is not there is a sentence.
//
// Each function returns 0; the ErrorKind + 1 of an Error; or kInterrupted where `stop` said so. `text` gets
// what the function says: JSON, or nothing, or the Error's sentence; the caller gives it to
// tyto_python_free(). Texts and paths that go in are bytes ended by 0; paths are the file system's. Options
// are a JSON object: those of a command, by their names with '_', and see options.h.
//
// Python's lock is not held in a call. An object serves one call at a time, others wait; it lives until calls
// that use it return.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct tyto_python_text {
  char* bytes;
  size_t size;  // without the 0 behind them
};

// A file, or pixels: rows of [width, 3], RGB, row_bytes apart.
struct tyto_python_image {
  const char* path;    // or null
  const uint8_t* rgb;  // or null; it stays in its place while a run has it
  int64_t row_bytes;
  int32_t height, width;
};

void tyto_python_free(tyto_python_text* text) noexcept;
// Objects that others use live on as long as these.
void tyto_python_close(uint64_t object) noexcept;

// text: {"version", "gpus": [[name, value]]}
int32_t tyto_python_describe(tyto_python_text* text) noexcept;

// ---- Models

// options: network, key, prefix, set, preprocess, classes: names, classes_file: a path, allow_unused. stop:
// looked at now and then; another thread sets it to something else than 0 to end the call. text: what `tyto
// convert --json` prints.
int32_t tyto_python_convert(const char* checkpoint, const char* output, const char* options,
                            const int32_t* stop, tyto_python_text* text) noexcept;

// options: verify, whether the tensors' bytes are read and compared with their SHA-256. text: what
// ModelInfo holds.
int32_t tyto_python_model_open(const char* path, const char* options, uint64_t* model,
                               tyto_python_text* text) noexcept;

// ---- Images

// Decodes an image. options: exif_orientation.
int32_t tyto_python_image_open(const char* path, const char* options, uint64_t* image, int32_t* height,
                               int32_t* width, tyto_python_text* text) noexcept;
int32_t tyto_python_image_copy(uint64_t image, uint8_t* rgb, size_t bytes, tyto_python_text* text) noexcept;

// The images of a folder in their order, as `tyto extract` lists them. text: {"names": below the folder,
// "skipped": sentences}
int32_t tyto_python_list_images(const char* root, tyto_python_text* text) noexcept;

// ---- Feature extraction

// options: those of the engine (device, precision, threads, memory_limit, autotune), batch, flip, scales,
// set. text: {"matrices": [[name, width]], "flip", "device"}
int32_t tyto_python_extractor_open(uint64_t model, const char* options, uint64_t* extractor,
                                   tyto_python_text* text) noexcept;

// A run of images through the extractor, which has one at a time; it is over when it is closed. options:
// decoders, exif_orientation.
int32_t tyto_python_extractor_run(uint64_t extractor, const tyto_python_image* images, int64_t count,
                                  const char* options, uint64_t* run, tyto_python_text* text) noexcept;
// What is done next, in the images' order: `rows` of `features` [capacity, dimensions] and of `indices`
// [capacity], which may be none, and -1 after the last. text: [[index, kind, sentence]] of images that cannot
// be read, or nothing.
int32_t tyto_python_extractor_next(uint64_t run, float* features, int64_t* indices, int64_t capacity,
                                   int64_t* rows, tyto_python_text* text) noexcept;

// ---- Detection

// options: those of the engine, batch, set, trace, classes: names or numbers to keep. text: {"class_names":
// of all labels, "device"}
int32_t tyto_python_detector_open(uint64_t model, const char* options, uint64_t* detector,
                                  tyto_python_text* text) noexcept;

// The images and videos of folders and files in their order, as `tyto detect` lists them. text: {"inputs":
// [[path, whether it is a video]], "skipped": sentences}
int32_t tyto_python_list_images_and_videos(const char* const* roots, int32_t count,
                                           tyto_python_text* text) noexcept;

// A run of images through the detector, as extractor_run(), and of the frames of a video. options: decoders;
// exif_orientation, every: of the frames each Nth.
int32_t tyto_python_detector_run(uint64_t detector, const tyto_python_image* images, int64_t count,
                                 const char* options, uint64_t* run, tyto_python_text* text) noexcept;
int32_t tyto_python_detector_video(uint64_t detector, const char* path, const char* options, uint64_t* run,
                                   tyto_python_text* text) noexcept;
// What is done next, in the images' order. text: {"images": [[index, width, height, detections, [[name, type,
// shape]] of its trace]], "left_out": as of extractor_next()}, which the functions below copy until the next
// call; after the last {"over": true, "problem": what was lost of a video, or ""}.
int32_t tyto_python_detector_next(uint64_t run, tyto_python_text* text) noexcept;
// Of all images of the step, one after another: boxes [count, 4] of left, top, width, height.
int32_t tyto_python_detector_boxes(uint64_t run, float* boxes, float* scores, int32_t* labels, int64_t count,
                                   tyto_python_text* text) noexcept;
// image: of the step's.
int32_t tyto_python_detector_trace(uint64_t run, int64_t image, const char* name, void* values, size_t bytes,
                                   tyto_python_text* text) noexcept;

// ---- Views from above

// options: those of the engine, batch, set. text: {"cameras": that a sample has, "grid", "classes": of the
// map, "device"}
int32_t tyto_python_segmenter_open(uint64_t model, const char* options, uint64_t* segmenter,
                                   tyto_python_text* text) noexcept;

// A calibrated camera: see tyto::Camera. Row-major.
struct tyto_python_camera {
  double intrinsics[9], camera_to_ego[16], augmentation[9];
};

// A run of samples through the segmenter, which has one at a time. images, cameras: of each sample as many as
// the network takes; lidar_to_ego: [samples, 16]. options: decoders, exif_orientation.
int32_t tyto_python_segmenter_run(uint64_t segmenter, const tyto_python_image* images,
                                  const tyto_python_camera* cameras, const double* lidar_to_ego,
                                  int64_t samples, const char* options, uint64_t* run,
                                  tyto_python_text* text) noexcept;
// What is done next, in the samples' order. text: {"samples": their indices, "outputs": [[name, type, shape
// of a sample's]], "left_out": [[index, kind, sentence]]}; after the last {"over": true}.
int32_t tyto_python_segmenter_next(uint64_t run, tyto_python_text* text) noexcept;
// Of the step's sample.
int32_t tyto_python_segmenter_output(uint64_t run, int64_t sample, const char* name, void* values,
                                     size_t bytes, tyto_python_text* text) noexcept;

// The samples of a file, as `tyto bev --samples` reads it. text: {"samples": [{"id", "sequence", "ego_pose",
// "lidar_to_ego", "cameras": [{"name", "image", "intrinsics", "camera_to_ego", "augmentation"}]}], "skipped":
// sentences}
int32_t tyto_python_read_samples(const char* file, tyto_python_text* text) noexcept;

// ---- Networks on raw tensors

// options: those of the engine, outputs, set. text: {"device"}
int32_t tyto_python_plan_open(uint64_t model, const char* options, uint64_t* plan,
                              tyto_python_text* text) noexcept;

struct tyto_python_tensor {
  const char* name;
  const char* type;    // "F32", "I32"
  const void* values;  // row-major
  const int64_t* shape;
  int32_t rank;
};
// text: {"outputs": [[name, type, shape]]}, whose values tyto_python_plan_output() copies until the next run.
int32_t tyto_python_plan_run(uint64_t plan, const tyto_python_tensor* inputs, int32_t count,
                             tyto_python_text* text) noexcept;
int32_t tyto_python_plan_output(uint64_t plan, const char* name, void* values, size_t bytes,
                                tyto_python_text* text) noexcept;

}  // extern "C"
