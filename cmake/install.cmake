# `cmake --install` puts the command, the engine's library and headers, and what find_package(tyto) reads.
include(CMakePackageConfigHelpers)

install(TARGETS tyto RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
set(libraries tyto_engine tyto_engine_core tyto_files tyto_kernels)
if(TYTO_CUDA)
  list(APPEND libraries tyto_cuda_backend tyto_cuda_libraries tyto_cuda_runtime tyto_kernels_cuda)
endif()
install(TARGETS ${libraries} EXPORT tyto-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tyto ${CMAKE_BINARY_DIR}/include/tyto DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(EXPORT tyto-targets NAMESPACE tyto:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tyto)
configure_package_config_file(cmake/tyto-config.cmake.in ${CMAKE_BINARY_DIR}/tyto-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tyto)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tyto-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tyto-config.cmake ${CMAKE_BINARY_DIR}/tyto-config-version.cmake cmake/FindoneDNN.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tyto)
