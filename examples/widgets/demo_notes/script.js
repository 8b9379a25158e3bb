define(['jquery'], function ($) {
  'use strict';

  var CustomWidget = function () {
    var self = this;
    var ns = '.demo_notes';

    // One note per card and user, kept by the browser.
    var key = function () {
      var card = AMOCRM.data.current_card;
      return ['demo_notes', self.system().amouser_id, AMOCRM.getBaseEntity(), card && card.id || 'new'].join(':');
    };

    this.callbacks = {
      render: function () {
        self.render_template({
          caption: { class_name: 'demo-notes', html: '' },
          body: '',
          render: '<div class="demo-notes__body"><label></label><textarea rows="6"></textarea><small></small></div>'
        });
        return true;
      },
      init: function () {
        $('.demo-notes__body label').text(self.i18n('notes').title);
        $('.demo-notes__body textarea').val(window.localStorage.getItem(key()) || '');
        return true;
      },
      bind_actions: function () {
        $(document)
          .off(ns)
          .on('input' + ns, '.demo-notes__body textarea', function () {
            window.localStorage.setItem(key(), $(this).val());
            $('.demo-notes__body small').text(self.i18n('notes').saved);
          });
        return true;
      },
      settings: function () {
        return true;
      },
      onSave: function () {
        return true;
      },
      destroy: function () {
        $(document).off(ns);
      }
    };
    return this;
  };

  return CustomWidget;
});
