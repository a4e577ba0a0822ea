# The CUDA toolkit, if there is one. Without it everything but the CUDA backend builds; without even its headers the
# emulated tests are left out too (scripts/test fetches the headers from PyPI).
#   TYTO_CUDA          whether the CUDA backend is built
#   TYTO_CUDA_HEADERS  the toolkit's include directory, or empty
find_program(TYTO_NVCC nvcc HINTS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin)
option(TYTO_CUDA "Build the CUDA backend" ON)
if(TYTO_CUDA AND TYTO_NVCC)
  set(CMAKE_CUDA_COMPILER ${TYTO_NVCC})
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
  # One architecture builds fast; its PTX serves later GPUs. The preset `portable` lists all that are supported.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80)
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  find_package(CUDAToolkit REQUIRED)
  list(GET CUDAToolkit_INCLUDE_DIRS 0 TYTO_CUDA_HEADERS)
else()
  set(TYTO_CUDA OFF)
  find_path(TYTO_CUDA_HEADERS cuda_runtime_api.h HINTS ${CMAKE_SOURCE_DIR}/build/cuda-headers/nvidia/cu13/include
            /usr/local/cuda/include)
  if(NOT TYTO_CUDA_HEADERS)
    set(TYTO_CUDA_HEADERS "")
  endif()
endif()
if(NOT TYTO_CUDA)
  message(STATUS "No CUDA toolkit: everything but the CUDA backend is built")
endif()

# tyto_cuda_kernels([EXACT] files...): the .cu files of a family, for nvcc and for the emulation alike. EXACT: no
# multiply-add is fused, so that the results have the bits of the CPU's.
function(tyto_cuda_kernels)
  cmake_parse_arguments(arg "EXACT" "" "" ${ARGN})
  foreach(file ${arg_UNPARSED_ARGUMENTS})
    set_property(GLOBAL APPEND PROPERTY TYTO_CUDA_KERNELS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    if(arg_EXACT)
      set_property(GLOBAL APPEND PROPERTY TYTO_EXACT_CUDA_KERNELS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    endif()
  endforeach()
endfunction()

# Goes to another machine (scripts/gpu-check): the libraries in the folder `lib` beside the program's own come first, for
# what they need themselves, too.
function(tyto_travels target)
  set_target_properties(${target} PROPERTIES BUILD_RPATH "$ORIGIN/../lib")
  target_link_options(${target} PRIVATE LINKER:--disable-new-dtags)
endfunction()
