# `cmake --install` puts the command, the engine's library and headers, the C libraries, and what find_package(tyto) and
# pkg-config read; `--component losses`, `bev` and `operators` one C library alone.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/tyto)

install(TARGETS tyto RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(libraries tyto_engine tyto_engine_core tyto_files tyto_kernels)
if(TYTO_CUDA)
  list(APPEND libraries tyto_cuda_backend tyto_cuda_libraries tyto_cuda_runtime tyto_kernels_cuda)
endif()
install(TARGETS ${libraries} EXPORT tyto-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tyto ${CMAKE_BINARY_DIR}/include/tyto DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT tyto-targets NAMESPACE tyto:: DESTINATION ${package})

# A C library by itself: its header, and what finds it.
file(RELATIVE_PATH TYTO_PC_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
function(tyto_install_c_library name TYTO_PC_VERSION TYTO_PC_DESCRIPTION)
  set(TYTO_PC_NAME tyto_${name})
  install(TARGETS tyto_${name} EXPORT tyto-${name}-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name})
  install(FILES include/tyto_${name}.h include/tyto_elements.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT ${name})
  install(EXPORT tyto-${name}-targets NAMESPACE tyto:: DESTINATION ${package} COMPONENT ${name})
  configure_file(c_interface/library.pc.in ${CMAKE_BINARY_DIR}/tyto_${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/tyto_${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${name})
  install(FILES ${CMAKE_BINARY_DIR}/tyto-config.cmake ${CMAKE_BINARY_DIR}/tyto-config-version.cmake
          DESTINATION ${package} COMPONENT ${name})
endfunction()
tyto_install_c_library(losses ${TYTO_LOSSES_VERSION} "Losses with gradients, on CPUs and NVIDIA GPUs, for any trainer")
tyto_install_c_library(bev ${TYTO_BEV_VERSION}
                       "Bird's-eye-view pooling and its gradient, on CPUs and NVIDIA GPUs, for any trainer")
tyto_install_c_library(operators ${TYTO_OPERATORS_VERSION}
                       "Attention, pooling of regions and suppression, on CPUs and NVIDIA GPUs, for any trainer")

configure_package_config_file(cmake/tyto-config.cmake.in ${CMAKE_BINARY_DIR}/tyto-config.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tyto-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/FindoneDNN.cmake DESTINATION ${package})
