# `cmake --install` puts the command, the engine's library and headers, the losses' C library, and what find_package(tyto)
# and pkg-config read; `--component losses` the C library alone.
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
install(TARGETS tyto_losses EXPORT tyto-losses-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT losses)
install(FILES include/tyto_losses.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT losses)
install(EXPORT tyto-losses-targets NAMESPACE tyto:: DESTINATION ${package} COMPONENT losses)
file(RELATIVE_PATH TYTO_PC_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(c_interface/tyto_losses.pc.in ${CMAKE_BINARY_DIR}/tyto_losses.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/tyto_losses.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT losses)

configure_package_config_file(cmake/tyto-config.cmake.in ${CMAKE_BINARY_DIR}/tyto-config.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tyto-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tyto-config.cmake ${CMAKE_BINARY_DIR}/tyto-config-version.cmake
        DESTINATION ${package} COMPONENT losses)
install(FILES cmake/FindoneDNN.cmake DESTINATION ${package})
