#!/bin/sh
# install.sh: fills debian/ipcbox, where the applets' names begin with ipc-, and debian/ipcbox-links, with the plain names.
# From the top of the source; called by debian/rules.
set -eu
box=debian/ipcbox/usr links=debian/ipcbox-links/usr plain=debian/plain
make install DESTDIR="$PWD/debian/ipcbox" PREFIX=/usr NAME_PREFIX=ipc-
make install DESTDIR="$PWD/$plain" PREFIX=/usr

# changelog and copyright have their own names in Debian, and what is run is an example
doc=$box/share/doc/ipcbox
rm "$doc/LICENSE" "$doc/CHANGELOG.md"
mkdir -p "$doc/examples"
mv "$doc/demo.sh" "$doc/examples/"

# a page is a link to that of the other package; completion is that of `make install`, in a file of another name
bash=share/bash-completion/completions fish=share/fish/vendor_completions.d zsh=share/zsh/vendor-completions
mkdir -p "$links/bin" "$links/share/man/man1" "$links/$bash" "$links/$fish" "$links/$zsh"
mv "$plain/usr/$bash/ipcbox" "$links/$bash/ipcbox-links"
mv "$plain/usr/$fish/ipcbox.fish" "$links/$fish/ipcbox-links.fish"
names=
for link in "$box/bin/ipc-"*; do
  name=${link##*/ipc-}
  names="$names $name"
  ln -s ipcbox "$links/bin/$name"
  ln -s "ipc-$name.1.gz" "$links/share/man/man1/$name.1.gz"
  ln -s ipcbox-links "$links/$bash/$name"
  ln -s ipcbox-links.fish "$links/$fish/$name.fish"
done
# Debian's zsh looks for those of packages in another directory
mkdir -p "$box/$zsh"
mv "$box/share/zsh/site-functions/_ipcbox" "$box/$zsh/"
rmdir "$box/share/zsh/site-functions"
cat >"$links/$zsh/_ipcbox-links" <<END
#compdef$names
autoload -Uz _ipcbox
_ipcbox "\$@"
END
rm -r "$plain"
