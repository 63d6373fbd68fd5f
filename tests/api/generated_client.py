"""A client in Java that OpenAPI Generator makes of a description: made, compiled, and run."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.maven import find_jars, find_java

_SOURCES = Path(__file__).parent / "java"
_WANTED_BY = "A client in Java"
_OPTIONS = "library=native,useJakartaEe=true,useSingleRequestParameter=true"
_PARTS = "apis,models,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
_UTF_8 = ("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")


async def output_of(command: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    """What a program says that runs in this folder; fails with it if the program does."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said


@dataclass(frozen=True)
class Java:
    """A Java, and the jars that make a client and run it."""

    program: str
    jars: Path

    async def make_client(self, description_url: str, folder: Path) -> None:
        """Makes a client of a served description, and compiles it with the program that asks."""
        generate = ["-jar", self._jar("openapi-generator-cli"), "generate", "--generator-name", "java"]
        generate += ["--input-spec", description_url, "--output", "generated", "--global-property", _PARTS]
        await self._run(folder, *generate, "--additional-properties", _OPTIONS)
        # A compiler from a jar: an installed Java need not have one.
        compile_all = ["-jar", self._jar("ecj"), "-17", "-nowarn", "-proc:none", "-cp", self._class_path()]
        await self._run(folder, *compile_all, "-d", "classes", "generated/src/main/java", str(_SOURCES / "Ask.java"))

    async def ask(self, folder: Path, *arguments: str) -> list[str]:
        """What the program that asks says, line by line."""
        class_path = os.pathsep.join(["classes", self._class_path()])
        return (await self._run(folder, *_UTF_8, "-cp", class_path, "Ask", *arguments)).splitlines()

    async def _run(self, folder: Path, *arguments: str) -> str:
        # None of these programs runs long enough for the better of Java's two compilers.
        return await output_of([self.program, "-XX:TieredStopAtLevel=1", *arguments], folder, {})

    def _class_path(self) -> str:
        """What a generated client needs. The generator has copies of it in its own jar, which is left out."""
        tools = {self._jar("ecj"), self._jar("openapi-generator-cli")}
        return os.pathsep.join(sorted({str(path) for path in self.jars.glob("*.jar")} - tools))

    def _jar(self, name: str) -> str:
        (path,) = self.jars.glob(f"{name}-*.jar")
        return str(path)


def find_generator(folder: Path) -> Java:
    """A Java with the jars, which are fetched into the folder the first time. Raises MissingPartError."""
    return Java(find_java(_WANTED_BY), find_jars(_SOURCES / "pom.xml", folder, _WANTED_BY))
