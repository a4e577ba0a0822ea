# A room is one target and one folder of the tree. Its headers are included as "room/file.h" through an include
# directory that holds this room alone, so including a room that the target does not link fails to compile.
function(tyto_room target folder)
  set(doors ${CMAKE_BINARY_DIR}/rooms/${folder})
  file(MAKE_DIRECTORY ${doors})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${doors}/${folder} SYMBOLIC)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${doors}>)
  tyto_warnings(${target})
endfunction()

function(tyto_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                           -Wno-missing-field-initializers -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees these where they are not, in its own std::string and std::optional (GCC bugs 105651, 80635).
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
  else()
    # clang tells the user of std::stable_sort that libstdc++ 12 deprecates what it calls there.
    target_compile_options(${target} PRIVATE -Wno-deprecated-declarations)
  endif()
endfunction()
