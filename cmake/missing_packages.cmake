# Names what of Debian's is not installed, before what needs it is not found.
find_program(dpkg_query dpkg-query)
if(dpkg_query)
  execute_process(COMMAND sh -c ". ./packages.sh && missing_packages $library_packages"
                  WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/../scripts OUTPUT_VARIABLE missing COMMAND_ERROR_IS_FATAL ANY)
  if(missing)
    message(WARNING "tyto is built of packages of Debian 12 that are not installed here:\n"
                    "  sudo apt-get install -y --no-install-recommends${missing}\n")
  endif()
endif()
