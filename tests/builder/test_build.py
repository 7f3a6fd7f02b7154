"""The command line of the builder: what cannot be built is said in one line."""

import build


def test_what_cannot_be_built_is_one_line_and_status_1(book, capsys):
    assert build.main(["--root", str(book.root), "--scale", "smoke", "--library", "real"]) == 1
    assert capsys.readouterr().err.startswith("build: no photographs of cub, tiny")
    assert build.main(["--root", str(book.root), "--mirror", str(book.root / "nowhere")]) == 1
    assert "archives/" in capsys.readouterr().err
    assert build.main(["--root", str(book.root), "--chapters", "01"]) == 1
    assert "for make results" in capsys.readouterr().err
    assert build.main(["--root", str(book.root), "--serve", "0"]) == 1
    assert "make book first" in capsys.readouterr().err


def test_the_papers_data_sets_may_lie_elsewhere(book, tmp_path, capsys):
    arguments = ["--library", "paper", "--scale", "smoke", "--root", str(book.root)]
    assert build.main([*arguments, "--mirror", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"build: {tmp_path}: none of the folders inaturalist, cub200")
    run = build.Run("paper", "smoke", root=book.root, place=tmp_path)
    assert run.data == tmp_path.resolve()
    assert build.Run("paper", "smoke", root=book.root).data == (book.root / "data").resolve()


def test_some_photographs_are_not_enough(book, capsys):
    (book.root / "data" / "cub").mkdir(parents=True)
    (book.root / "data" / "cub" / "index.csv").touch()
    arguments = ["--scale", "laptop", "--library", "real", "--root", str(book.root)]
    assert build.main(arguments) == 1
    assert "no photographs of tiny_imagenet, living_things" in capsys.readouterr().err
