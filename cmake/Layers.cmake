# A layer is a folder under src/: its .cc files make a static library brevet_<name>, its *_test.cc files
# one test program <name>_test. Who may include whom is tools/layers.txt, checked by the test `layers`.
add_library(brevet_flags INTERFACE)
target_include_directories(brevet_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(brevet_flags INTERFACE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor
                       -Wno-missing-field-initializers)
target_compile_definitions(brevet_flags INTERFACE BREVET_VERSION="${PROJECT_VERSION}"
                           BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these inside coroutine frames and std::variant moves of its own library.
  target_compile_options(brevet_flags INTERFACE -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-stringop-overflow
                         -Wno-array-bounds -Wno-restrict -Wno-mismatched-new-delete -Wno-free-nonheap-object)
endif()
if(BREVET_SANITIZE)
  target_compile_options(brevet_flags INTERFACE -fsanitize=${BREVET_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(brevet_flags INTERFACE -fsanitize=${BREVET_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND BREVET_SANITIZE MATCHES "thread")
    target_compile_options(brevet_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(BREVET_FUZZ)
  target_compile_options(brevet_flags INTERFACE -fsanitize=fuzzer-no-link -Wno-unknown-warning-option)
endif()
find_program(MOLD mold)
if(MOLD)
  target_link_options(brevet_flags INTERFACE -fuse-ld=mold)
endif()

function(brevet_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*_test.cc)
  list(REMOVE_ITEM sources ${tests} ${CMAKE_SOURCE_DIR}/src/${name}/main.cc)
  if(sources)
    add_library(brevet_${name} STATIC ${sources})
    target_link_libraries(brevet_${name} PUBLIC brevet_flags ${ARGN})
  else()
    add_library(brevet_${name} INTERFACE)
    target_link_libraries(brevet_${name} INTERFACE brevet_flags ${ARGN})
  endif()
  if(tests AND NOT BREVET_FUZZ)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE brevet_${name} GTest::gmock GTest::gtest_main)
    # Only tests know where the tree is, so that compiled layers are the same (and cached) in every clone.
    target_compile_definitions(${name}_test PRIVATE BREVET_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
  endif()
endfunction()
